//lint:file-ignore U1000 fields stand for what somebody has in a request type; nobody reads them
//lint:file-ignore SA5008 bad tags must be refused

package canon

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

type hiddenMoney struct{ cents int }

type Line struct {
	SKU   string
	price int
}

type embedsLine struct {
	Line
	N int
}

type decimalWithCurrency struct {
	big.Float
	Currency string
}

type timeAndMore struct {
	time.Time
	N int
}

type pointerAndMore struct {
	*big.Int
	N int
}

type deepTimeAndMore struct {
	embedsTime
	N int
}

type embedsTime struct{ time.Time }

type byPointerAndMore struct {
	ByPointer
	M int
}

type marshalerAndMore struct {
	json.Marshaler
	N int
}

type addrAndPort struct {
	netip.Addr
	Port uint16
}

type genericTimeAndMore[T any] struct {
	time.Time
	N T
}

type sameName struct {
	Amount int
	Total  int `json:"Amount"`
}

type left struct{ ID int }

type right struct{ ID int }

type bothSides struct {
	left
	right
}

type onlyJSONHides struct {
	Hiding
	Total int `json:"Amount"`
}

type taggedInside struct {
	N int `idem:"-"`
}

func (taggedInside) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type taggedDeeper struct{ Lines map[string][]*lineAfter }

func (taggedDeeper) MarshalText() ([]byte, error) { return []byte("1"), nil }

type taggedSelf struct {
	Next *taggedSelf
	N    int `idem:"-"`
}

func (*taggedSelf) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type readsItself []byte

func (readsItself) Read([]byte) (int, error) { return 0, io.EOF }

// unexportedInt is embedded below, where encoding/json passes over it.
type unexportedInt int

type embedsInt struct {
	unexportedInt
	N int
}

type recursive struct {
	Next *recursive
	Kids []map[string]recursive
	Bad  chan int
}

// refusedTypes are refused whatever their value is.
var refusedTypes = map[string]struct {
	value any
	path  string
	typ   string
	why   string
}{
	"a channel":                         {make(chan int), "chan int", "chan int", "cannot write a chan"},
	"a channel in a field":              {struct{ C chan int }{}, ".C", "chan int", "cannot write a chan"},
	"a channel in a recursive type":     {recursive{}, "recursive.Bad", "chan int", "cannot write a chan"},
	"a function":                        {struct{ F func() }{}, ".F", "func()", "cannot write a func"},
	"a complex number":                  {[]complex64{}, "[]complex64[]", "complex64", "cannot write a complex64"},
	"a larger complex number":           {map[string]complex128{}, "[]", "complex128", "cannot write a complex128"},
	"an unsafe pointer":                 {struct{ P unsafe.Pointer }{}, ".P", "unsafe.Pointer", "cannot write a unsafe.Pointer"},
	"an io.Reader":                      {struct{ Body io.Reader }{}, ".Body", "io.Reader", "a reader"},
	"an io.ReadCloser":                  {struct{ Body io.ReadCloser }{}, ".Body", "io.ReadCloser", "a reader"},
	"a buffer":                          {struct{ B *bytes.Buffer }{}, ".B", "bytes.Buffer", "a reader"},
	"a file":                            {struct{ F *os.File }{}, ".F", "os.File", "a reader"},
	"bytes that read":                   {struct{ B readsItself }{}, ".B", "canon.readsItself", "a reader"},
	"a struct of which nothing is seen": {struct{ Amount hiddenMoney }{}, ".Amount", "canon.hiddenMoney", "sees nothing"},
	"such a struct in slices and maps":  {struct{ M map[string][]*hiddenMoney }{}, ".M[][]", "canon.hiddenMoney", "sees nothing"},
	"such a struct beside a left-out field": {struct {
		cents int
		Trace string `idem:"-"`
	}{}, "", "struct {", "sees nothing"},
	"an unexported field":           {struct{ Lines []Line }{}, ".Lines[].price", "int", "not exported"},
	"an unexported field, embedded": {embedsLine{}, "embedsLine.Line.price", "int", "not exported"},
	"an unexported int, embedded":   {embedsInt{}, "embedsInt.unexportedInt", "canon.unexportedInt", "not exported"},
	"user info in a URL":            {url.URL{}, "URL.User", "url.Userinfo", "sees nothing"},
	"an http.Request":               {&http.Request{}, "Request.", "", ""},
	"a field that JSON leaves out": {struct {
		N int `json:"-"`
	}{}, ".N", "int", "tagged `json:\"-\"` but not"},
	"an unknown idem tag": {struct {
		N int `idem:"omit"`
	}{}, ".N", "int", "idem tag"},
	"an empty idem tag": {struct {
		N int `idem:""`
	}{}, ".N", "int", "idem tag"},
	"an unknown idem tag, unexported": {struct {
		n int `idem:"x"`
	}{}, ".n", "int", "idem tag"},
	"a name that JSON does not take": {struct {
		N int `json:"a\\b"`
	}{}, ".N", "int", "name that encoding/json does not take"},
	"two fields of one name":           {sameName{}, "sameName.Total", "int", "has the JSON name of Amount"},
	"two embedded fields of one name":  {bothSides{}, "bothSides.right.ID", "int", "has the JSON name of left.ID"},
	"a field that only JSON hides":     {onlyJSONHides{}, "onlyJSONHides.Hiding.Amount", "int", "has the JSON name of Total"},
	"a tag under a MarshalJSON":        {[]taggedInside{}, "[]", "canon.taggedInside", "tag at N has no effect"},
	"a tag far under a MarshalText":    {taggedDeeper{}, "taggedDeeper", "canon.taggedDeeper", "tag at Lines[][].trace has no effect"},
	"a tag under its pointer's method": {struct{ T taggedSelf }{}, ".T", "canon.taggedSelf", "tag at N has no effect"},
	"a time and more":                  {timeAndMore{}, "timeAndMore", "canon.timeAndMore", "leaves out the other fields"},
	"a pointer's method and more":      {struct{ P pointerAndMore }{}, ".P", "canon.pointerAndMore", "its MarshalJSON is that of an embedded"},
	"a method from two levels below":   {deepTimeAndMore{}, "deepTimeAndMore", "canon.deepTimeAndMore", "leaves out the other"},
	"a method of the pointer and more": {byPointerAndMore{}, "byPointerAndMore", "canon.byPointerAndMore", "leaves out the other"},
	"an embedded interface and more":   {marshalerAndMore{}, "marshalerAndMore", "canon.marshalerAndMore", "leaves out the other"},
	"a MarshalText and more":           {addrAndPort{}, "addrAndPort", "canon.addrAndPort", "its MarshalText is that of an embedded"},
	"a decimal and its currency":       {decimalWithCurrency{}, "decimalWithCurrency", "canon.decimalWithCurrency", "leaves out the other"},
	"a generic type and more":          {genericTimeAndMore[int]{}, "genericTimeAndMore[int]", "canon.genericTimeAndMore[int]", "leaves out the other"},
	"map keys without a text":          {map[struct{ A int }]int{}, "", "map[struct { A int }]int", "keys of this type"},
	"map keys behind an interface":     {map[encoding.TextMarshaler]int{}, "", "map[encoding.TextMarshaler]int", "keys of this type"},
	"map keys that hide something":     {map[addrAndPort]int{}, "[key]", "canon.addrAndPort", "leaves out the other"},
	"such map keys by pointer":         {map[*addrAndPort]int{}, "[key]", "canon.addrAndPort", "leaves out the other"},
}

func TestTypesOfWhichJSONDoesNotSeeEverythingAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range refusedTypes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, Check(reflect.TypeOf(test.value)), test.path, test.typ, test.why)

			_, err := Typed(test.value)
			require.EqualError(t, Check(reflect.TypeOf(test.value)), err.Error(), "Check and Typed agree")
		})
		t.Run(name+", behind an interface", func(t *testing.T) {
			t.Parallel()
			type holder struct{ Any any }
			require.NoError(t, Check(reflect.TypeFor[holder]()))

			_, err := Typed(holder{[]any{test.value}})
			behind := "holder.Any.([]interface {})[].(" + reflect.TypeOf(test.value).String() + ")"
			requireRefused(t, err, behind, test.typ, test.why)
		})
	}
}

func requireRefused(t *testing.T, err error, path, typ, why string) {
	t.Helper()
	require.ErrorIs(t, err, ErrRequest)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Path, path)
	require.Contains(t, e.Type, typ)
	require.Contains(t, e.Reason, why)
	require.Equal(t, e.Path+" ("+e.Type+"): "+e.Reason, err.Error())
}

func TestErrorsNameThePathFromTheTypeOfTheRequest(t *testing.T) {
	t.Parallel()
	type Order struct {
		Lines []Line
		Tags  map[string]any
	}
	require.EqualError(t, Check(reflect.TypeFor[**Order]()), "Order.Lines[].price (int): not exported, so JSON does not see it")
	require.EqualError(t, Check(reflect.TypeFor[[]Order]()), "[]canon.Order[].Lines[].price (int): not exported, so JSON does not see it")
	require.EqualError(t, Check(reflect.TypeFor[Order]()), "Order.Lines[].price (int): not exported, so JSON does not see it", "the second time too")
}

// A struct that embeds a time and says itself how it is written hides nothing.

type declaresValue struct {
	time.Time
	N int
}

func (d declaresValue) MarshalJSON() ([]byte, error) { return json.Marshal([]any{d.Time, d.N}) }

type declaresPointer struct {
	time.Time
	N int
}

func (d *declaresPointer) MarshalJSON() ([]byte, error) { return json.Marshal([]any{d.Time, d.N}) }

type declaresGeneric[T any] struct {
	time.Time
	N T
}

func (d *declaresGeneric[T]) MarshalJSON() ([]byte, error) { return json.Marshal([]any{d.Time, d.N}) }

func TestTypesThatLookRefusedButAreNot(t *testing.T) {
	t.Parallel()
	at := time.Unix(7, 0).UTC()
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"a method of its own over an embedded one":     {declaresValue{at, 1}, `["1970-01-01T00:00:07Z",1]`},
		"a pointer's method over an embedded one":      {declaresPointer{at, 1}, `["1970-01-01T00:00:07Z",1]`},
		"a generic method over an embedded one":        {declaresGeneric[int]{at, 1}, `["1970-01-01T00:00:07Z",1]`},
		"an embedded time and nothing else":            {embedsTime{at}, `"1970-01-01T00:00:07Z"`},
		"an unexported embedded struct":                {struct{ base }{base{"i", "c"}}, "{\"ID\":\"i\",\"\\u003ccomment\\u003e\\u0026more\":\"c\"}"},
		"an unexported embedded struct without fields": {embedsNothing{}, `{}`},
		"a struct whose fields are all left out": {struct {
			a int `idem:"-"`
			_ int
		}{a: 1}, `{}`},
		"an error's text behind an interface": {[]any{textError("x")}, `["x"]`},
		"a uintptr":                           {uintptr(3), `3`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, Check(reflect.TypeOf(test.value)))
			got, err := Typed(test.value)
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
		})
	}
}

type embedsNothing struct{ nothing }

type nothing struct{}

type textError string

func (e textError) Error() string { return string(e) }

func TestCheckKnowsNothingOfAnInterface(t *testing.T) {
	t.Parallel()
	require.NoError(t, Check(nil))
	require.NoError(t, Check(reflect.TypeFor[any]()))
	require.NoError(t, Check(reflect.TypeFor[json.Marshaler]()))
}
