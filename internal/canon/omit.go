package canon

import "reflect"

// in returns the field's value in the struct v; false if it stands in an embedded struct that is nil.
func (f *field) in(v reflect.Value) (reflect.Value, bool) {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

// omitted reports whether encoding/json leaves the member out because of its value.
func (f *field) omitted(v reflect.Value) bool {
	return f.omitEmpty && empty(v) || f.omitZero != nil && f.omitZero(v)
}

// empty is encoding/json's notion: false, 0, nil, and whatever has no elements. Structs are never empty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

type zeroer interface{ IsZero() bool }

var zeroerType = reflect.TypeFor[zeroer]()

// zeroFunc returns the question that omitzero asks of a value of type t: its own IsZero, called on neither a nil
// pointer nor a nil interface, or whether it is Go's zero value.
func zeroFunc(t reflect.Type) func(reflect.Value) bool {
	own := func(v reflect.Value) bool { return v.Interface().(zeroer).IsZero() }
	switch {
	case t.Kind() == reflect.Interface && t.Implements(zeroerType):
		return func(v reflect.Value) bool {
			return v.IsNil() || v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil() || own(v)
		}
	case t.Kind() == reflect.Pointer && t.Implements(zeroerType):
		return func(v reflect.Value) bool { return v.IsNil() || own(v) }
	case t.Implements(zeroerType):
		return own
	case reflect.PointerTo(t).Implements(zeroerType):
		return func(v reflect.Value) bool { return own(addressable(v).Addr()) }
	}
	return reflect.Value.IsZero
}

// quotable reports whether encoding/json obeys ",string" for t: a number, a bool, a string, or a pointer to one.
// Types that write themselves are not quoted.
func quotable(t reflect.Type) bool {
	t = pointedAt(t)
	if ownMethod(t) != "" {
		return false
	}
	kind := t.Kind()
	return reflect.Bool <= kind && kind <= reflect.Float64 || kind == reflect.String
}
