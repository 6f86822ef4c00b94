package canon

import (
	"reflect"
	"slices"
	"strings"
)

func (w *writer) structure(n *node, v reflect.Value) *Error {
	w.out = append(w.out, '{')
	start := len(w.out)
	for i := range n.fields {
		f := &n.fields[i]
		fv, ok := f.in(v)
		if !ok || f.omitted(fv) {
			continue
		}
		w.comma(start)
		w.out = append(w.out, f.label...)
		write := (*writer).value
		if f.quoted {
			write = (*writer).quoted
		}
		if err := write(w, f.node, fv); err != nil {
			return err.under(f.path)
		}
	}
	w.out = append(w.out, '}')
	return nil
}

// comma separates an element from the one before it, if anything was written since start.
func (w *writer) comma(start int) {
	if len(w.out) > start {
		w.out = append(w.out, ',')
	}
}

// quoted writes what value would write, as a string. A nil pointer stays null.
func (w *writer) quoted(n *node, v reflect.Value) *Error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return w.null()
	}
	start := len(w.out)
	if err := w.value(n, v); err != nil {
		return err
	}
	inner := slices.Clone(w.out[start:])
	w.out = append(w.out[:start], '"')
	for _, c := range inner {
		if c == '"' || c == '\\' { // the rest was escaped when it was written
			w.out = append(w.out, '\\')
		}
		w.out = append(w.out, c)
	}
	w.out = append(w.out, '"')
	return nil
}

func (w *writer) pointer(n *node, v reflect.Value) *Error {
	if v.IsNil() {
		return w.null()
	}
	if err := w.enter(n, v); err != nil {
		return err
	}
	defer w.leave(v)
	return w.value(n.elem, v.Elem())
}

func (w *writer) slice(n *node, v reflect.Value) *Error {
	if v.IsNil() {
		return w.null()
	}
	if err := w.enter(n, v); err != nil {
		return err
	}
	defer w.leave(v)
	return w.list(n, v)
}

func (w *writer) list(n *node, v reflect.Value) *Error {
	w.out = append(w.out, '[')
	start := len(w.out)
	for i := range v.Len() {
		w.comma(start)
		if err := w.value(n.elem, v.Index(i)); err != nil {
			return err.under("[]")
		}
	}
	w.out = append(w.out, ']')
	return nil
}

// entry is one entry of a map; at is its place among the copied values.
type entry struct {
	key string
	at  int
}

func (w *writer) mapping(n *node, v reflect.Value) *Error {
	if v.IsNil() {
		return w.null()
	}
	if err := w.enter(n, v); err != nil {
		return err
	}
	defer w.leave(v)
	entries, values, err := n.entries(v)
	if err != nil {
		return err
	}
	w.out = append(w.out, '{')
	start := len(w.out)
	for _, e := range entries {
		w.comma(start)
		if err := w.str(n, e.key); err != nil {
			return err.under("[key]")
		}
		w.out = append(w.out, ':')
		if err := w.value(n.elem, values.Index(e.at)); err != nil {
			return err.under("[]")
		}
	}
	w.out = append(w.out, '}')
	return nil
}

// entries returns the entries of the map v in the order of their keys' text, and copies of the values that are
// addressable, so that a method with a pointer receiver counts.
func (n *node) entries(v reflect.Value) ([]entry, reflect.Value, *Error) {
	entries := make([]entry, 0, v.Len())
	values := reflect.MakeSlice(reflect.SliceOf(n.typ.Elem()), v.Len(), v.Len())
	for iter := v.MapRange(); iter.Next(); {
		key, err := n.key(iter.Key())
		if err != nil {
			return nil, values, (&node{typ: n.typ.Key(), method: "MarshalText"}).failed().under("[key]")
		}
		values.Index(len(entries)).SetIterValue(iter)
		entries = append(entries, entry{key, len(entries)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	for i := 1; i < len(entries); i++ {
		if entries[i].key == entries[i-1].key {
			return nil, values, refuse(n.typ, "two keys have the same text").under("[key]")
		}
	}
	return entries, values, nil
}

// dynamic writes what an interface holds, by the plan of the type that it has now.
func (w *writer) dynamic(_ *node, v reflect.Value) *Error {
	if v.IsNil() {
		return w.null()
	}
	v = v.Elem()
	p := planOf(v.Type())
	err := p.err
	if p.root != nil {
		if p.root.addressed {
			v = addressable(v)
		}
		err = w.value(p.root, v)
	}
	if err != nil {
		return err.under(".(" + v.Type().String() + ")")
	}
	return nil
}
