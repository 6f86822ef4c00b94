package canon

import (
	"encoding"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
)

// node is the plan for one type. Nodes of recursive types form a graph with cycles.
type node struct {
	typ    reflect.Type
	write  step // the fast way
	walk   step // part by part, so that an error has a path
	elem   *node
	fields []field
	key    func(reflect.Value) (string, error)
	method string // MarshalJSON or MarshalText, where the type writes itself

	// special types must not go through json.Marshal: here or below, something is left out or is only known at run
	// time, or a MarshalJSON with a pointer receiver would not be called.
	special bool

	// addressed types are written by json.Marshal in one way when addressable and in another when not.
	addressed bool
}

type step func(*writer, *node, reflect.Value) *Error

// compile returns the plan for t. It ends on recursive types, since every type gets one node.
func compile(t reflect.Type) (*node, *Error) {
	c := compiler{}
	root, err := c.node(t)
	if err != nil {
		return nil, err
	}
	for changed := true; changed; {
		changed = false
		for _, n := range c {
			changed = n.settle() || changed
		}
	}
	for _, n := range c {
		if n.write = n.walk; !n.special && !n.quick() {
			n.write = (*writer).leaf
		}
	}
	return root, nil
}

// compiler holds the nodes of the types that are reachable from one root.
type compiler map[reflect.Type]*node

func (c compiler) node(t reflect.Type) (*node, *Error) {
	if n := c[t]; n != nil {
		return n, nil
	}
	n := &node{typ: t}
	c[t] = n
	return n, c.fill(n)
}

func (c compiler) fill(n *node) *Error {
	if n.method = ownMethod(n.typ); n.method != "" {
		return n.own()
	}
	if reads(n.typ) {
		return refuse(n.typ, "a reader; JSON does not see what it reads")
	}
	switch n.typ.Kind() {
	case reflect.Interface:
		n.walk, n.special = (*writer).dynamic, true
	case reflect.Pointer:
		return c.over(n, (*writer).pointer, "")
	case reflect.Slice:
		if isBytes(n.typ) {
			n.walk = (*writer).leaf
			return nil
		}
		return c.over(n, (*writer).slice, "[]")
	case reflect.Array:
		return c.over(n, (*writer).list, "[]")
	case reflect.Map:
		return c.mapping(n)
	case reflect.Struct:
		return c.structure(n)
	default:
		return n.scalar()
	}
	return nil
}

// quick reports whether walk beats a call of json.Marshal: it does for scalars and lists of them.
func (n *node) quick() bool {
	if n.elem != nil {
		n = n.elem
	}
	return n.elem == nil && n.method == "" && n.typ.Kind() != reflect.Struct
}

func (n *node) scalar() *Error {
	switch n.typ.Kind() {
	case reflect.Bool:
		n.walk = (*writer).boolean
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.walk = (*writer).integer
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n.walk = (*writer).unsigned
	case reflect.Float32, reflect.Float64:
		n.walk = (*writer).leaf
	case reflect.String:
		n.walk = (*writer).text
		if n.typ == numberType {
			n.walk = (*writer).leaf
		}
	default:
		return refuse(n.typ, "encoding/json cannot write a "+n.typ.Kind().String())
	}
	return nil
}

func (c compiler) over(n *node, walk step, path string) *Error {
	var err *Error
	n.walk = walk
	n.elem, err = c.node(n.typ.Elem())
	return err.under(path)
}

// mapping accepts the keys that encoding/json accepts, but for interfaces, of which it cannot write every value.
func (c compiler) mapping(n *node) *Error {
	switch key := n.typ.Key(); {
	case key.Kind() == reflect.String:
		n.key = func(k reflect.Value) (string, error) { return k.String(), nil }
	case key.Kind() != reflect.Interface && key.Implements(textMarshalerType):
		if err := (&node{typ: pointedAt(key), method: "MarshalText"}).own(); err != nil {
			return err.under("[key]")
		}
		n.key, n.special = textKey, true // two keys may have one text, and encoding/json writes both in random order
	case reflect.Int <= key.Kind() && key.Kind() <= reflect.Int64:
		n.key = func(k reflect.Value) (string, error) { return strconv.FormatInt(k.Int(), 10), nil }
	case reflect.Uint <= key.Kind() && key.Kind() <= reflect.Uintptr:
		n.key = func(k reflect.Value) (string, error) { return strconv.FormatUint(k.Uint(), 10), nil }
	default:
		return refuse(n.typ, "encoding/json cannot write keys of this type")
	}
	return c.over(n, (*writer).mapping, "[]")
}

func textKey(k reflect.Value) (string, error) {
	if k.Kind() == reflect.Pointer && k.IsNil() {
		return "", nil
	}
	text, err := k.Interface().(encoding.TextMarshaler).MarshalText()
	return string(text), err
}

// settle takes over what is known about the types below and reports whether that was new.
func (n *node) settle() bool {
	special, addressed := n.special, n.addressed
	for _, f := range n.fields {
		special = special || f.node.special
		addressed = addressed || f.node.addressed
	}
	if n.elem != nil {
		special = special || n.elem.special
		switch n.typ.Kind() {
		case reflect.Array:
			addressed = addressed || n.elem.addressed
		case reflect.Map:
			special = special || n.elem.addressed
		}
	}
	changed := special != n.special || addressed != n.addressed
	n.special, n.addressed = special, addressed
	return changed
}

var (
	numberType        = reflect.TypeFor[json.Number]()
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	readerType        = reflect.TypeFor[io.Reader]()
)

// reads reports whether t is an io.Reader, by value or by pointer. Where t is itself a pointer, what it points at is
// asked later.
func reads(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && (t.Implements(readerType) || reflect.PointerTo(t).Implements(readerType))
}

// isBytes reports whether encoding/json writes the slice type t as base64.
func isBytes(t reflect.Type) bool {
	return t.Elem().Kind() == reflect.Uint8 && ownMethod(t.Elem()) == ""
}
