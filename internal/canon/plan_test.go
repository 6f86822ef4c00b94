package canon

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// shape is a type that was drawn. It is built twice: as it is, and with fields that are left out.
type shape struct {
	leaf   reflect.Type
	wrap   func(reflect.Type) reflect.Type
	elem   *shape
	fields []shapeField
}

type shapeField struct {
	name, tag string
	embedded  reflect.Type
	shape     *shape
	extra     reflect.Type // a field before this one that is left out; may be nil
}

var leafTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](),
	reflect.TypeFor[uintptr](), reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[[2]byte](), reflect.TypeFor[any](), reflect.TypeFor[json.Number](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[ByValue](), reflect.TypeFor[Upper](), reflect.TypeFor[[]pixel](),
	reflect.TypeFor[point](), reflect.TypeFor[zeroAtSeven](), reflect.TypeFor[zeroAtEight](), reflect.TypeFor[Named](),
	reflect.TypeFor[money](), reflect.TypeFor[*point](), reflect.TypeFor[struct{}](),
}

var wraps = []func(reflect.Type) reflect.Type{
	reflect.PointerTo,
	reflect.SliceOf,
	func(t reflect.Type) reflect.Type { return reflect.ArrayOf(2, t) },
	func(t reflect.Type) reflect.Type { return reflect.MapOf(reflect.TypeFor[string](), t) },
	func(t reflect.Type) reflect.Type { return reflect.MapOf(reflect.TypeFor[Named](), t) },
	func(t reflect.Type) reflect.Type { return reflect.MapOf(reflect.TypeFor[point](), t) },
}

var extras = []reflect.Type{
	reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[string](), reflect.TypeFor[any](),
	reflect.TypeFor[hiddenMoney](), nil, nil, nil,
}

func drawShape(t *rapid.T, depth int) *shape {
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	switch {
	case depth == 0 || kind == 0:
		return &shape{leaf: rapid.SampledFrom(leafTypes).Draw(t, "leaf")}
	case kind == 1:
		wrap := rapid.IntRange(0, len(wraps)-1).Draw(t, "wrap")
		return &shape{wrap: wraps[wrap], elem: drawShape(t, depth-1)}
	}
	s := &shape{}
	for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
		f := shapeField{name: "F" + strconv.Itoa(i), extra: rapid.SampledFrom(extras).Draw(t, "extra")}
		if i == 0 && rapid.Bool().Draw(t, "embed") {
			f.name, f.embedded = "Hiding", rapid.SampledFrom([]reflect.Type{
				reflect.TypeFor[Hiding](), reflect.TypeFor[*Hiding](),
			}).Draw(t, "embedded")
		} else {
			f.shape = drawShape(t, depth-1)
		}
		name := rapid.SampledFrom([]string{"", "", "n" + strconv.Itoa(i), "<&>" + strconv.Itoa(i), "ü [" + strconv.Itoa(i)}).Draw(t, "name")
		option := rapid.SampledFrom([]string{"", "", ",omitempty", ",omitzero", ",string", ",omitempty,string"}).Draw(t, "option")
		f.tag = fmt.Sprintf("json:%q", name+option)
		s.fields = append(s.fields, f)
	}
	return s
}

func (s *shape) build(extra bool) reflect.Type {
	switch {
	case s.leaf != nil:
		return s.leaf
	case s.wrap != nil:
		return s.wrap(s.elem.build(extra))
	}
	var fields []reflect.StructField
	for i, f := range s.fields {
		sf := reflect.StructField{Name: f.name, Tag: reflect.StructTag(f.tag), Type: f.embedded, Anonymous: f.shape == nil}
		if f.shape != nil {
			sf.Type = f.shape.build(extra)
		}
		fields = append(fields, sf)
		if extra && f.extra != nil {
			fields = append(fields, reflect.StructField{Name: "X" + strconv.Itoa(i), Type: f.extra, Tag: `json:"x" idem:"-"`})
		}
	}
	return reflect.StructOf(fields)
}

var texts = []string{"", "a", "<&>", "\u2028", "\x00\x1f\x7f", `\ufffd`, "\ufffd", `"quoted"`, "größe", "\U0001f600"}

// fill sets v from a sequence of numbers. It takes none for fields that are left out, so two types that differ only in
// these get the same values.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1e9), 0).UTC()))
		return
	case json.Number:
		v.SetString(strconv.Itoa(r.IntN(100)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Int, reflect.Int8:
		v.SetInt(int64(r.IntN(20) - 10))
	case reflect.Uint8, reflect.Uint16, reflect.Uintptr:
		v.SetUint(uint64(r.IntN(10)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(float32([]float64{0, 1.5, 1e30, -1e-9, r.NormFloat64()}[r.IntN(5)])))
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Interface:
		if leaf := leafTypes[r.IntN(len(leafTypes))]; leaf.Kind() != reflect.Interface {
			inner := reflect.New(leaf).Elem()
			fill(r, inner)
			v.Set(inner)
		}
	default:
		fillParts(r, v)
	}
}

func fillParts(r *rand.Rand, v reflect.Value) {
	n := r.IntN(3)
	switch v.Kind() {
	case reflect.Pointer:
		if n > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		if n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
		}
		fillList(r, v)
	case reflect.Array:
		fillList(r, v)
	case reflect.Map:
		if n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for range n - 1 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if _, left := v.Type().Field(i).Tag.Lookup("idem"); !left {
				fill(r, v.Field(i))
			}
		}
	}
}

func fillList(r *rand.Rand, v reflect.Value) {
	for i := range v.Len() {
		fill(r, v.Index(i))
	}
}

func filled(t reflect.Type, seed uint64) any {
	v := reflect.New(t)
	fill(rand.New(rand.NewPCG(seed, 1)), v.Elem())
	return v.Interface()
}

func TestAnyTypeIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := filled(drawShape(t, 3).build(false), rapid.Uint64().Draw(t, "seed"))
		want, err := json.Marshal(v)
		require.NoError(t, err)

		got, err := Typed(v)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		require.Equal(t, string(want), string(byPlan(t, v)), "part by part")

		got, err = Typed(reflect.ValueOf(v).Elem().Interface())
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "by value")
	})
}

func TestInAnyTypeAFieldThatIsLeftOutChangesNoBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, seed := drawShape(t, 3), rapid.Uint64().Draw(t, "seed")
		want, err := json.Marshal(filled(s.build(false), seed))
		require.NoError(t, err)

		got, err := Typed(filled(s.build(true), seed))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}

func TestTheOrderOfAMapDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.String(), func(s string) string { return s }).Draw(t, "keys")
		forward, backward := map[string]any{}, map[string]any{}
		for i, k := range keys {
			forward[k] = i
		}
		for i, k := range slices.Backward(keys) {
			backward[k] = i
		}
		a, err := Typed(forward)
		require.NoError(t, err)
		b, err := Typed(backward)
		require.NoError(t, err)
		require.Equal(t, string(a), string(b))
	})
}
