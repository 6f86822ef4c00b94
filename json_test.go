package idem

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type treeOf[T any] struct {
	Value T
	Next  []*treeOf[T]
}

// ownReader has an interface and reads its own bytes.
type ownReader struct{ read any }

func (o *ownReader) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &o.read) }

var jsonTargets = []struct {
	name string
	into any
	open bool
}{
	{name: "an interface", into: new(any), open: true},
	{name: "a map of interfaces", into: new(map[string]any), open: true},
	{name: "a field of a field", into: new(struct{ A struct{ B []any } }), open: true},
	{name: "an interface in a type that contains itself", into: new(treeOf[any]), open: true},
	{name: "nil", into: nil, open: true},
	{name: "a number", into: new(int64)},
	{name: "a struct", into: new(struct{ A, B string })},
	{name: "a type that contains itself", into: new(treeOf[int])},
	{name: "a time, which reads its own bytes", into: new(time.Time)},
	{name: "a pointer to what reads its own bytes", into: new(*ownReader)},
}

func TestJSONTakesTheDearerWayOnlyWhereAnInterfaceMayBeFilled(t *testing.T) {
	t.Parallel()
	for _, c := range jsonTargets {
		require.Equal(t, c.open, open(reflect.TypeOf(c.into)), c.name)
		require.Equal(t, c.open, open(reflect.TypeOf(c.into)), "%s, remembered", c.name)
	}
}

func TestNumbersBehindAnInterfaceStayExact(t *testing.T) {
	t.Parallel()
	const big = `{"Value":9007199254740993,"Next":[{"Value":[0.10,{"n":18446744073709551617}],"Next":null}]}`
	var tree treeOf[any]
	require.NoError(t, JSON.Decode([]byte(big), &tree))
	require.Equal(t, json.Number("9007199254740993"), tree.Value)
	again, err := JSON.Encode(tree)
	require.NoError(t, err)
	require.JSONEq(t, big, string(again))
	require.Contains(t, string(again), "0.10")
	require.Contains(t, string(again), "18446744073709551617")
}

func TestJSONReadsOneValueAndNothingMore(t *testing.T) {
	t.Parallel()
	for _, data := range []string{``, ` `, `1 2`, `{}x`, `1]`, "\x00", `{`} {
		require.Error(t, JSON.Decode([]byte(data), new(any)), "%q into an interface", data)
		require.Error(t, JSON.Decode([]byte(data), new(map[string]int)), "%q into a map", data)
	}
	require.NoError(t, JSON.Decode([]byte(" 1\n"), new(any)))
	require.NoError(t, JSON.Decode([]byte(" 1\n"), new(int)))
}
