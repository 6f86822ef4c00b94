package canon

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// writer writes one value by its plan.
type writer struct {
	out []byte

	// strict takes no part in one go and looks at every string: it finds the place of an error.
	strict bool

	depth int
	above map[place]bool
}

func (w *writer) value(n *node, v reflect.Value) *Error {
	// What is reached through an unexported embedded struct cannot be handed to encoding/json, but its fields can.
	if w.strict || !v.CanInterface() {
		return n.walk(w, n, v)
	}
	return n.write(w, n, v)
}

// leaf lets encoding/json write v and all that is below it.
func (w *writer) leaf(n *node, v reflect.Value) *Error {
	whole := v
	if v.CanAddr() {
		whole = v.Addr() // the method of a pointer receiver counts, and nothing is copied
	}
	text, err := json.Marshal(whole.Interface())
	if err != nil {
		return n.failed()
	}
	w.out = append(w.out, text...)
	return nil
}

// failed says what encoding/json could not write, in words that hold no value.
func (n *node) failed() *Error {
	reason := "encoding/json cannot write this value"
	switch {
	case n.method != "":
		reason = "its " + n.method + " failed"
	case n.typ == numberType:
		reason = "not a JSON number"
	case n.typ.Kind() == reflect.Float32 || n.typ.Kind() == reflect.Float64:
		reason = "not a finite number"
	}
	return refuse(n.typ, reason)
}

// ownText is leaf for a type with a MarshalText, whose result is a string like any other.
func (w *writer) ownText(n *node, v reflect.Value) *Error {
	if !w.strict {
		return w.leaf(n, v)
	}
	whole := v
	if v.CanAddr() {
		whole = v.Addr()
	}
	text, err := whole.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return n.failed()
	}
	return w.str(n, string(text))
}

func (w *writer) boolean(_ *node, v reflect.Value) *Error {
	w.out = strconv.AppendBool(w.out, v.Bool())
	return nil
}

func (w *writer) integer(_ *node, v reflect.Value) *Error {
	w.out = strconv.AppendInt(w.out, v.Int(), 10)
	return nil
}

func (w *writer) unsigned(_ *node, v reflect.Value) *Error {
	w.out = strconv.AppendUint(w.out, v.Uint(), 10)
	return nil
}

func (w *writer) text(n *node, v reflect.Value) *Error { return w.str(n, v.String()) }

// str writes s as encoding/json does, and calls it where there is something to escape.
func (w *writer) str(n *node, s string) *Error {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return w.escaped(n, s)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && (!utf8.ValidString(s) || strings.ContainsAny(s, "\u2028\u2029")) {
		return w.escaped(n, s)
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, s...)
	w.out = append(w.out, '"')
	return nil
}

func (w *writer) escaped(n *node, s string) *Error {
	if w.strict && !utf8.ValidString(s) {
		return refuse(n.typ, "not valid UTF-8; JSON would make different strings equal")
	}
	text, _ := json.Marshal(s) // a string always marshals
	w.out = append(w.out, text...)
	return nil
}

func (w *writer) null() *Error {
	w.out = append(w.out, "null"...)
	return nil
}
