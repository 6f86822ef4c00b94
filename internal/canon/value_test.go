package canon

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const canary = "CANARY-4111"

type failing struct{ N int }

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("cannot write " + canary) }

type failingText string

func (failingText) MarshalText() ([]byte, error) { return nil, errors.New("cannot write " + canary) }

type failingKey int

func (failingKey) MarshalText() ([]byte, error) { return nil, errors.New("cannot write " + canary) }

type rawText string

func (r rawText) MarshalText() ([]byte, error) { return []byte(r), nil }

type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

type twoStrings struct {
	Plain  string
	Quoted string `json:",string"`
}

// refusedValues have a type that is fine.
var refusedValues = map[string]struct {
	value any
	path  string
	why   string
}{
	"NaN":                         {struct{ F float64 }{math.NaN()}, ".F", "not a finite number"},
	"an infinity":                 {[]float32{1, float32(math.Inf(-1))}, "[]", "not a finite number"},
	"NaN behind an interface":     {map[string]any{canary: math.NaN()}, "[].(float64)", "not a finite number"},
	"a number that is none":       {struct{ N json.Number }{canary}, ".N", "not a JSON number"},
	"raw JSON that is none":       {[]json.RawMessage{json.RawMessage(canary)}, "[]", "its MarshalJSON failed"},
	"a method that fails":         {struct{ F *failing }{&failing{}}, ".F", "its MarshalJSON failed"},
	"a text method that fails":    {[]any{failingText("")}, "[].(canon.failingText)", "its MarshalText failed"},
	"a key method that fails":     {map[failingKey]int{1: 1}, "[key]", "its MarshalText failed"},
	"a string":                    {canary + "\xff", "string", "not valid UTF-8"},
	"a string in a field":         {twoStrings{Plain: canary + "\xff"}, "twoStrings.Plain", "not valid UTF-8"},
	"a string in a quoted field":  {twoStrings{Quoted: canary + "\xff"}, "twoStrings.Quoted", "not valid UTF-8"},
	"a string of another type":    {struct{ U namedText }{namedText("\x80")}, ".U", "not valid UTF-8"},
	"a string behind pointers":    {struct{ P **string }{new(new("\xc3"))}, ".P", "not valid UTF-8"},
	"a string in any":             {[]any{map[string]any{"k": []string{"\xed\xa0\x80"}}}, "[].(map[string]interface {})[].([]string)[]", "not valid UTF-8"},
	"a map key":                   {map[string]int{canary + "\xff": 1}, "[key]", "not valid UTF-8"},
	"a text of a method":          {struct{ R rawText }{"\xff"}, ".R", "not valid UTF-8"},
	"a key by a method":           {map[rawKey]int{"\xff": 1}, "[key]", "not valid UTF-8"},
	"a bad string among raw ones": {[]any{json.RawMessage(`"\ufffd"`), "\\ufffd", "\ufffd", "\xff"}, "[].(string)", "not valid UTF-8"},
	"two keys of one text":        {map[*point]int{{1, 2}: 1, {1, 2}: 2}, "[key]", "same text"},
}

type namedText string

type rawKey string

func (p rawKey) MarshalText() ([]byte, error) { return []byte(p), nil }

func TestValuesThatJSONCannotTellApartAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range refusedValues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, Check(reflect.TypeOf(test.value)))
			_, err := Typed(test.value)
			requireRefused(t, err, test.path, "", test.why)
			require.NotContains(t, err.Error(), "CANARY")
		})
	}
}

func TestTheErrorOfEncodingJSONIsNotToBeHad(t *testing.T) {
	t.Parallel()
	for _, v := range []any{[]float64{math.NaN()}, []any{failing{}}} {
		_, err := Typed(v)
		require.ErrorIs(t, err, ErrRequest)
		for ; err != nil; err = errors.Unwrap(err) {
			require.NotContains(t, err.Error(), canary)
			require.NotContains(t, err.Error(), "NaN")
		}
	}
}

func TestTextThatOnlyLooksReplacedIsTaken(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"a real U+FFFD":                         "\ufffd",
		"a backslash before the same letters":   `\ufffd`,
		"an escape in raw JSON":                 json.RawMessage(`{"a":"\ufffd"}`),
		"an escape from a method":               []any{rawJSON(`"\ufffd"`)},
		"an escape from a method, among fields": struct{ A, B any }{"ok", rawJSON(`"\ufffd"`)},
		"an escaped backslash in quotes":        twoStrings{Quoted: `\ufffd`},
		"a text method with a real U+FFFD":      rawText("\ufffd"),
		"an escape beside a field left out": struct {
			R json.RawMessage
			S string `json:",omitempty" idem:"-"`
		}{R: json.RawMessage(`"\ufffd"`)},
		"a string that is left out": struct {
			S string `json:"-" idem:"-"`
			R json.RawMessage
		}{"\xff", json.RawMessage(`"\ufffd"`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Typed(v)
			require.NoError(t, err)
			want, err := json.Marshal(v)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

type ring struct {
	Name string
	Next *ring
	Skip int `idem:"-"`
}

type plainRing struct{ Next []plainRing }

type mapRing map[string]any

func TestAValueThatContainsItselfIsAnError(t *testing.T) {
	t.Parallel()
	r := &ring{Name: canary}
	r.Next = &ring{Next: r}
	slice := []any{nil}
	slice[0] = slice
	m := mapRing{}
	m["k"] = m
	plain := plainRing{make([]plainRing, 1)}
	plain.Next[0] = plain
	var self any
	self = &self
	for name, v := range map[string]any{
		"by pointer": r, "by slice": slice, "by map": m, "by interface": self,
		"where encoding/json writes in one go": plain,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Typed(v)
			requireRefused(t, err, "", "", "contains itself")
			require.Less(t, len(err.Error()), 600)
			require.NotContains(t, err.Error(), "CANARY")
		})
	}
}

func TestADeepValueIsTakenAndATooDeepOneIsAnError(t *testing.T) {
	t.Parallel()
	shared := &ring{Name: "end"}
	deep := shared
	for range 2000 {
		deep = &ring{Next: deep}
	}
	_, err := Typed([]any{deep, deep, shared})
	require.NoError(t, err, "a value that is there twice does not contain itself")

	_, err = Typed(slices.Repeat([]any{shared}, 20_000))
	require.NoError(t, err, "a long value is not a deep one")

	var nested any
	for range 20_000 {
		nested = []any{nested}
	}
	_, err = Typed(nested)
	requireRefused(t, err, "", "", "nested too deeply")
}

func TestALongPathIsCutAtItsUpperEnd(t *testing.T) {
	t.Parallel()
	bad := any("\xff")
	for range 100 {
		bad = []any{bad}
	}
	_, err := Typed(struct{ Deep any }{bad})
	requireRefused(t, err, "[].(string)", "string", "not valid UTF-8")
	require.Less(t, len(err.Error()), 600)
	require.NotContains(t, err.Error(), "~~")
	require.True(t, strings.HasPrefix(err.Error(), "struct { Deep interface {} }~"), err)
}
