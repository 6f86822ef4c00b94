//lint:file-ignore U1000 fields stand for what somebody has in a request type; nobody reads them
//lint:file-ignore SA5008 every tag that encoding/json takes must be written as it writes it

package canon

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Types that encoding/json sees in full, with every rule that it has for fields.

type money struct {
	Cents    int64  `json:"cents,string"`
	Currency string `json:"currency"`
}

type base struct {
	ID      string
	Comment string `json:"<comment>&more"`
}

type Hiding struct{ Amount, Left int }

type Named int

type Upper string

func (u Upper) MarshalText() ([]byte, error) { return []byte("<" + string(u) + ">"), nil }

type ByValue struct{ N int }

func (b ByValue) MarshalJSON() ([]byte, error) { return json.Marshal([]int{b.N, b.N}) }

type otherByValue struct{ M int }

func (b otherByValue) MarshalJSON() ([]byte, error) { return json.Marshal([]int{b.M}) }

type ByPointer struct{ N int }

func (b *ByPointer) MarshalJSON() ([]byte, error) { return json.Marshal([]int{b.N, -b.N}) }

type textByPointer struct{ N int }

func (b *textByPointer) MarshalText() ([]byte, error) { return json.Marshal(b.N) }

type point struct{ X, Y int }

func (p point) MarshalText() ([]byte, error) { return json.Marshal([]int{p.X, p.Y}) }

type zeroAtSeven int

func (z zeroAtSeven) IsZero() bool { return z == 7 }

type zeroAtEight struct{ N int }

func (z *zeroAtEight) IsZero() bool { return z.N == 8 }

type pixel uint8

func (p pixel) MarshalText() ([]byte, error) { return []byte{'p', '0' + byte(p)}, nil }

type tree struct {
	Name string
	Next *tree           `json:",omitempty"`
	Kids []tree          `json:",omitempty"`
	Map  map[string]tree `json:",omitempty"`
}

type everything struct {
	B      bool
	I      int
	I8     int8 `json:"i8,omitempty"`
	U      uint64
	P      uintptr
	F32    float32
	F64    float64     `json:"f64,string"`
	S      string      `json:"a<b>&c"`
	Quoted string      `json:",string"`
	QPtr   *int        `json:",string"`
	QNil   *bool       `json:",string"`
	QText  Upper       `json:",string"`
	QNum   json.Number `json:",string"`
	QSlice []int       `json:",string"`
	Num    json.Number
	Bytes  []byte
	Array  [3]byte
	Pixels []pixel
	Raw    json.RawMessage
	Time   time.Time
	Big    *big.Int
	Addr   netip.Addr
	ByVal  ByValue
	Ptr    *ByValue
	PtrPtr **string
	Any    any
	Strs   map[string]string
	Ints   map[Named]*money
	Uints  map[uint8]bool
	Points map[point]int
	Nested struct{ A, B any }
	Iface  interface{ IsZero() bool } `json:",omitzero"`
	Zero7  zeroAtSeven                `json:",omitzero"`
	Zero8  zeroAtEight                `json:",omitzero"`
	Zero8P *zeroAtEight               `json:",omitzero"`
	ZeroT  time.Time                  `json:",omitzero"`
	ZeroS  point                      `json:",omitzero"`
	EmptyA [0]int                     `json:",omitempty"`
	EmptyM map[string]int             `json:",omitempty"`
	EmptyS []any                      `json:",omitempty"`
	EmptyP *int                       `json:",omitempty"`
	EmptyI any                        `json:",omitempty"`
	EmptyT point                      `json:",omitempty"`
	Ünicod int                        `json:"größe-1"`
	Dash   int                        `json:"-,"`
	_      int
	Tree   tree
	base
	*Hiding
	Named
	Amount int
	Tagged base `json:"tagged"`
}

func full() everything {
	one, text := 1, "<&>\u2028 \x01 \\ \" \u00e9 \U0001f600 \ufffd"
	textPtr := &text
	return everything{
		B: true, I: -5, I8: 3, U: math.MaxUint64, P: 7, F32: 3.4e38, F64: 1e-7, S: text, Quoted: text, QPtr: &one,
		QText: "up", QNum: "1.50", QSlice: []int{1}, Num: "12e3", Bytes: []byte("abc"), Array: [3]byte{1, 2, 3},
		Pixels: []pixel{1, 2}, Raw: json.RawMessage(` {"b": "<\ufffd>" } `), Time: time.Unix(1, 2).UTC(),
		Big: big.NewInt(1 << 60), Addr: netip.MustParseAddr("::1"), ByVal: ByValue{1}, Ptr: &ByValue{2}, PtrPtr: &textPtr,
		Any:  map[string]any{"z": 1.5, "a": []any{nil, true, "x", point{1, 2}, &point{3, 4}}, "m": money{5, "EUR"}},
		Strs: map[string]string{"b": "1", "a": "2", "": "3", text: "4"}, Ints: map[Named]*money{10: {1, "EUR"}, 9: nil},
		Uints: map[uint8]bool{200: true, 3: false}, Points: map[point]int{{2, 1}: 1, {1, 2}: 2},
		Iface: zeroAtSeven(6), Zero7: 6, Zero8: zeroAtEight{9}, Zero8P: &zeroAtEight{9}, ZeroT: time.Unix(0, 0).UTC(),
		ZeroS: point{1, 0}, EmptyM: map[string]int{"a": 1}, EmptyS: []any{1}, EmptyP: new(int), EmptyI: 0,
		Tree: tree{Name: "r", Next: &tree{Name: "n"}, Kids: []tree{{Name: "k"}}, Map: map[string]tree{"x": {Name: "m"}}},
		base: base{ID: "id", Comment: text}, Hiding: &Hiding{Amount: 1, Left: 2}, Named: 4, Amount: 3,
		Tagged: base{ID: "t"},
	}
}

func TestTypedWritesWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	sevens := everything{Iface: zeroAtSeven(7), Zero7: 7, Zero8: zeroAtEight{8}, Zero8P: &zeroAtEight{8}}
	nilBehind := everything{Iface: (*zeroAtEight)(nil)}
	for name, v := range map[string]any{
		"the zero value":                        &everything{},
		"every field set":                       new(full()),
		"every field set, behind an interface":  []any{full(), new(full())},
		"values that say themselves to be zero": &sevens,
		"a nil pointer behind an omitzero":      &nilBehind,
		"nothing":                               nil,
		"a nil pointer":                         (*everything)(nil),
		"an embedded pointer that is nil":       struct{ *Hiding }{},
		"a nil map, slice and interface":        []any{map[string]int(nil), []int(nil), nil, (*int)(nil)},
		"a struct without fields":               struct{}{},
		"a struct of blank fields":              struct{ _ int }{},
		"a text":                                "<a>",
		"a number":                              json.Number("1.0"),
		"an empty number":                       json.Number(""),
		"a tree":                                full().Tree,
		"numbers of every form":                 []any{0.0, math.Copysign(0, -1), 1e21, 1e20, 1e-6, float32(1e-7), 123456789.0, 1 << 62},
		"an unexported struct, embedded by name": struct {
			base `json:"b"`
			Any  any
		}{base{ID: "i"}, 1},
		"two types with a method, embedded": struct {
			ByValue
			otherByValue
		}{ByValue{1}, otherByValue{2}},
		"a type with a method, embedded alone":   struct{ time.Time }{time.Unix(5, 0).UTC()},
		"a type with a method, embedded by name": struct{ T time.Time }{time.Unix(5, 0).UTC()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(v)
			require.NoError(t, err)

			got, err := Typed(v)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
			if v != nil {
				require.Equal(t, string(want), string(byPlan(t, v)), "part by part")
			}
		})
	}
}

// byPlan writes v part by part, also where encoding/json could write it in one go.
func byPlan(t require.TestingT, v any) []byte {
	p := planOf(reflect.TypeOf(v))
	require.Nil(t, p.err)
	out, err := p.write(v, true)
	require.Nil(t, err)
	return out
}

// A request type before and after a field that does not count was added to it, in every place that a field can have.

type lineBefore struct {
	SKU string `json:"sku"`
	Qty int
}

type lineAfter struct {
	trace *int     `idem:"-"`
	SKU   string   `json:"sku"`
	Seen  chan int `idem:"-"`
	Qty   int
}

type orderBefore struct {
	Amount int
	Line   lineBefore
	Lines  []lineBefore
	Ptr    *lineBefore
	Array  [1]lineBefore
	ByName map[string]lineBefore
	Any    any `json:",omitempty"`
	lineBefore
}

type orderAfter struct {
	Amount int
	mu     sync.Mutex `idem:"-"`
	Line   lineAfter
	Lines  []lineAfter
	Ptr    *lineAfter
	Array  [1]lineAfter
	ByName map[string]lineAfter
	Any    any    `json:",omitempty"`
	Trace  string `json:"-" idem:"-"`
	Clock  func() `json:"clock" idem:"-"`
	lineAfter
}

func TestAFieldThatIsLeftOutChangesNoBytes(t *testing.T) {
	t.Parallel()
	n := 1
	before, after := lineBefore{"a<b", 2}, lineAfter{trace: &n, SKU: "a<b", Seen: make(chan int), Qty: 2}
	for name, pair := range map[string][2]any{
		"in a struct":       {before, after},
		"behind a pointer":  {&before, &after},
		"in a slice":        {[]lineBefore{before, {}}, []lineAfter{after, {}}},
		"in an array":       {[2]lineBefore{before, {}}, [2]lineAfter{after, {}}},
		"in a map":          {map[int]lineBefore{2: before, 10: {}}, map[int]lineAfter{2: after, 10: {}}},
		"behind interfaces": {map[string]any{"x": []any{before, &before}}, map[string]any{"x": []any{after, &after}}},
		"in an empty struct": {struct{}{}, struct {
			Trace string `idem:"-"`
		}{"x"}},
		"where nothing is set": {orderBefore{}, &orderAfter{}},
		"everywhere": {
			&orderBefore{1, before, []lineBefore{before}, &before, [1]lineBefore{before}, map[string]lineBefore{"k": before}, before, before},
			&orderAfter{
				Amount: 1, Line: after, Lines: []lineAfter{after}, Ptr: &after, Array: [1]lineAfter{after},
				ByName: map[string]lineAfter{"k": after}, Any: after, Trace: "t", Clock: func() {}, lineAfter: after,
			},
		},
		"over a field that it would hide": {struct{ Hiding }{Hiding{1, 2}}, struct {
			Hiding
			Amount int `idem:"-"`
		}{Hiding{1, 2}, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(pair[0])
			require.NoError(t, err)
			got, err := Typed(pair[1])
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

func TestWhatIsNotLeftOutCounts(t *testing.T) {
	t.Parallel()
	a, err := Typed(&orderAfter{Line: lineAfter{Qty: 1}})
	require.NoError(t, err)
	b, err := Typed(&orderAfter{Line: lineAfter{Qty: 2}})
	require.NoError(t, err)
	require.NotEqual(t, string(a), string(b))
}

func TestAMethodOfThePointerCountsForTheValueToo(t *testing.T) {
	t.Parallel()
	type holder struct {
		P ByPointer
		A [1]ByPointer
	}
	v, text := ByPointer{3}, textByPointer{4}
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"by value":               {v, `[3,-3]`},
		"by pointer":             {&v, `[3,-3]`},
		"in a slice":             {[]ByPointer{v}, `[[3,-3]]`},
		"in an array":            {[1]ByPointer{v}, `[[3,-3]]`},
		"in a map":               {map[string]ByPointer{"k": v}, `{"k":[3,-3]}`},
		"behind an interface":    {[]any{v, &v}, `[[3,-3],[3,-3]]`},
		"in a field":             {holder{v, [1]ByPointer{v}}, `{"P":[3,-3],"A":[[3,-3]]}`},
		"in a field of a map":    {map[int]holder{1: {v, [1]ByPointer{v}}}, `{"1":{"P":[3,-3],"A":[[3,-3]]}}`},
		"in a field, behind any": {[]any{holder{v, [1]ByPointer{v}}}, `[{"P":[3,-3],"A":[[3,-3]]}]`},
		"a MarshalText":          {text, `"4"`},
		"a MarshalText in a map": {map[string]textByPointer{"k": text}, `{"k":"4"}`},
		"beside a field left out": {struct {
			P ByPointer
			X int `idem:"-"`
		}{P: v}, `{"P":[3,-3]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Typed(test.value)
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
			require.Equal(t, test.want, string(byPlan(t, test.value)), "part by part")
		})
	}
}

func TestTypedIsTheSameFromManyGoroutines(t *testing.T) {
	t.Parallel()
	type fresh struct {
		Tree tree
		Any  any
		Skip func() `idem:"-"`
	}
	v := fresh{Tree: full().Tree, Any: []any{full()}}
	results := make([]string, 8)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			if out, err := Typed(v); err == nil {
				results[i] = string(out)
			}
		})
	}
	group.Wait()
	for _, r := range results {
		require.NotEmpty(t, r)
		require.Equal(t, results[0], r)
	}
}
