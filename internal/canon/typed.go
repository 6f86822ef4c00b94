package canon

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sync"
)

// Typed returns the bytes that stand for v: what json.Marshal writes for v, without the fields that are tagged
// `idem:"-"`, wherever they are. Adding such a field to a type changes no bytes.
//
// It differs from json.Marshal in one more way: a MarshalJSON or MarshalText with a pointer receiver is always used,
// as if everything were addressable, so that a request has the same bytes by value and by pointer, in a map and in a
// slice.
//
// Two things that differ in Go may still have the same bytes, as in JSON: types behind an interface that have the same
// members, and fields that are hidden as Go hides them, by a field of their own name in the struct that embeds theirs.
//
// Typed refuses what Check refuses, also behind an interface, and values that JSON cannot tell apart or cannot write:
// a string that is not valid UTF-8, map keys with the same text, NaN, infinities, values that contain themselves. All
// its errors wrap ErrRequest and are of type *Error. A panic of the request's own methods is not caught.
//
// Typed may be called concurrently; v must not change meanwhile.
func Typed(v any) ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	t := reflect.TypeOf(v)
	p := planOf(t)
	if p.err != nil {
		return nil, p.err.from(t)
	}
	out, err := p.marshal(v)
	if err == nil && !doubtful(out) {
		return out, nil
	}
	if _, found := p.write(v, true); found != nil {
		return nil, found.from(t)
	}
	if err != nil {
		return nil, err.from(t)
	}
	return out, nil
}

// doubtful reports whether a byte that is not UTF-8 may have been replaced in out. Today's encoding/json writes the
// escape for such a byte, and U+FFFD itself only where it was in the string; its successor (GOEXPERIMENT=jsonv2) writes
// U+FFFD for both. Either may also stand there by right, so it is a reason to look closer and no more.
func doubtful(out []byte) bool {
	return bytes.Contains(out, []byte(`\ufffd`)) || bytes.Contains(out, []byte("\ufffd"))
}

// Check says what can be said about t before there is a value: it returns the error that Typed would return for every
// value of t. What is behind an interface is only known when Typed sees it. Check may be called concurrently; the
// answer for a type is remembered.
func Check(t reflect.Type) error {
	if t == nil {
		return nil
	}
	if p := planOf(t); p.err != nil {
		return p.err.from(t)
	}
	return nil
}

// plan is what is known about a type: how to write it, or why not.
type plan struct {
	root *node
	err  *Error
}

var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	root, err := compile(t)
	p, _ := plans.LoadOrStore(t, &plan{root, err})
	return p.(*plan)
}

// marshal writes v the fast way: in one go where encoding/json may do it, else with the fewest parts.
func (p *plan) marshal(v any) ([]byte, *Error) {
	if p.root.special {
		return p.write(v, false)
	}
	if p.root.addressed {
		v = addressable(reflect.ValueOf(v)).Addr().Interface()
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, p.root.failed()
	}
	return out, nil
}

func (p *plan) write(v any, strict bool) ([]byte, *Error) {
	value := reflect.ValueOf(v)
	if p.root.addressed {
		value = addressable(value)
	}
	w := &writer{strict: strict, out: make([]byte, 0, 512)}
	if err := w.value(p.root, value); err != nil {
		return nil, err
	}
	return w.out, nil
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	fresh := reflect.New(v.Type()).Elem()
	fresh.Set(v)
	return fresh
}
