package idem

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"sync"
)

// JSON is the default Codec: encoding/json. Numbers that are decoded into an interface stay exact, as json.Number.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Encode(v any) ([]byte, error) { return json.Marshal(v) }

func (jsonCodec) Decode(data []byte, into any) error {
	if !open(reflect.TypeOf(into)) {
		return json.Unmarshal(data, into)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the JSON value")
	}
	return nil
}

// open reports whether a value of type t may hold an interface for encoding/json to fill. Only there does it matter how
// numbers are decoded, and only a json.Decoder can be told, which costs more than json.Unmarshal. The answer for a type is
// remembered.
func open(t reflect.Type) bool {
	if known, ok := openTypes.Load(t); ok {
		return known.(bool)
	}
	is := hasInterface(t, map[reflect.Type]bool{})
	openTypes.Store(t, is)
	return is
}

var openTypes sync.Map // reflect.Type -> bool

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func hasInterface(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == nil || t.Kind() == reflect.Interface {
		return true
	}
	if seen[t] || reflect.PointerTo(t).Implements(unmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler) {
		return false // looked at already, or it reads its own bytes
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasInterface(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if hasInterface(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
