package canon

import "reflect"

// Most values are shallow, so the first levels are not remembered: a cycle goes round a few times before it is seen.
const trusted = 64

// deepest is where encoding/json stops to read too. Deeper values would sooner or later exhaust the stack, which cannot
// be recovered from.
const deepest = 10_000

// place is what two pointers, slices or maps have in common when they are one. The type tells a struct from its first
// field.
type place struct {
	typ reflect.Type
	at  uintptr
	len int
}

func placeOf(v reflect.Value) place {
	p := place{typ: v.Type(), at: v.Pointer()}
	if v.Kind() == reflect.Slice {
		p.len = v.Len()
	}
	return p
}

// enter goes one level down, through v, unless v is among the levels above.
func (w *writer) enter(n *node, v reflect.Value) *Error {
	w.depth++
	if w.depth <= trusted {
		return nil
	}
	if w.depth > deepest {
		return refuse(n.typ, "nested too deeply")
	}
	p := placeOf(v)
	if w.above[p] {
		return refuse(n.typ, "the value contains itself")
	}
	if w.above == nil {
		w.above = map[place]bool{}
	}
	w.above[p] = true
	return nil
}

func (w *writer) leave(v reflect.Value) {
	if w.depth > trusted {
		delete(w.above, placeOf(v))
	}
	w.depth--
}
