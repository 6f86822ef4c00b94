package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func canonical(t require.TestingT, src string) string {
	out, ok := JSON(nil, []byte(src))
	require.True(t, ok, src)
	return string(out)
}

func TestJSONHasOneForm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ src, want string }{
		"white space goes":                        {" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } , \"c\" : [ ] } \n", `{"a":[1,2],"b":{},"c":[]}`},
		"white space in strings stays":            {`" a  b "`, `" a  b "`},
		"members are put in order":                {`{"b":1,"a":2,"ab":3,"":4,"C":5}`, `{"":4,"a":2,"ab":3,"b":1,"C":5}`},
		"a name comes before what it begins":      {`{"a!":1,"a":2}`, `{"a":2,"a!":1}`},
		"elements keep their order":               {`[3,1,2,"b","a"]`, `[3,1,2,"b","a"]`},
		"objects in objects":                      {`{"b":{"d":1,"c":{"f":1,"e":2}},"a":{"h":1,"g":2}}`, `{"a":{"g":2,"h":1},"b":{"c":{"e":2,"f":1},"d":1}}`},
		"objects in order around one that is not": {`{"a":{"y":1,"x":2},"b":{"c":{"z":1,"w":[{"v":1,"u":2}]}}}`, `{"a":{"x":2,"y":1},"b":{"c":{"w":[{"u":2,"v":1}],"z":1}}}`},
		"objects in arrays":                       {`[{"b":1,"a":2},{"a":1},{"d":[{"f":1,"e":2},{}],"c":3}]`, `[{"a":2,"b":1},{"a":1},{"c":3,"d":[{"e":2,"f":1},{}]}]`},
		"escapes are resolved":                    {`"\u0041\u00e9\u20AC\/\ud83d\ude00"`, `"Aé€/😀"`},
		"what must be escaped is, in one way":     {`"\u0022\u005C\u0008\u000C\u000A\u000D\u0009\u0000\u001F\"\\\b\f\n\r\t"`, `"\"\\\b\f\n\r\t\u0000\u001f\"\\\b\f\n\r\t"`},
		"nothing else is escaped":                 {"\"\x7f<>&\u2028\ufffd\\u2028\\uFFFD\"", "\"\x7f<>&\u2028\ufffd\u2028\ufffd\""},
		"lone surrogates stay":                    {`"\uD800 \uDFFF \udc00\ud800 \ud800\ud800\udc00 \ud800\u0041 \ud800\n \ud800"`, `"\ud800 \udfff \udc00\ud800 \ud800𐀀 \ud800A \ud800\n \ud800"`},
		"names are compared unescaped":            {`{"b":1,"\u0061":2}`, `{"a":2,"b":1}`},
		"numbers stay as they are":                {`[0,-0,1,1.0,1e5,1E5,1e+5,1E-05,0.10,-1.5e300,9007199254740993,123456789012345678901234567890]`, `[0,-0,1,1.0,1e5,1E5,1e+5,1E-05,0.10,-1.5e300,9007199254740993,123456789012345678901234567890]`},
		"words":                                   {` [ true,false , null ]`, `[true,false,null]`},
		"a text may be a string":                  {`"x"`, `"x"`},
		"a text may be a number":                  {` 1 `, `1`},
		"a text may be a word":                    {"null\n", `null`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, canonical(t, test.src))
			require.Equal(t, test.want, canonical(t, test.want), "the form of the form")
			require.True(t, json.Valid([]byte(test.want)))
		})
	}
}

func TestJSONTellsMeaningsApart(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]string{
		"integers beyond a float64":        {`9007199254740993`, `9007199254740992`},
		"1 and 1.0":                        {`1`, `1.0`},
		"0 and -0":                         {`0`, `-0`},
		"a number and its text":            {`1`, `"1"`},
		"null and its text":                {`null`, `"null"`},
		"null and nothing":                 {`{"a":null}`, `{}`},
		"the order of elements":            {`[1,2]`, `[2,1]`},
		"the depth of an array":            {`[[1],2]`, `[[1,2]]`},
		"whose member it is":               {`{"a":{"b":1,"c":2}}`, `{"a":{"b":1},"c":2}`},
		"lone surrogates":                  {`"\ud800"`, `"\ud801"`},
		"a lone surrogate and U+FFFD":      {`"\ud800"`, `"\ufffd"`},
		"a lone surrogate and its letters": {`"\ud800"`, `"\\ud800"`},
		"case":                             {`{"A":1}`, `{"a":1}`},
		"composed and decomposed":          {`"\u00e9"`, `"e\u0301"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEqual(t, canonical(t, pair[0]), canonical(t, pair[1]))
		})
	}
}

func TestWhatIsNotOneClearJSONTextIsRefused(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"nothing":                           ``,
		"white space alone":                 " \n",
		"two texts":                         `1 2`,
		"a text and more":                   `{} x`,
		"a NUL after the text":              "1\x00",
		"a NUL instead of a text":           "\x00",
		"a byte order mark":                 "\ufeff{}",
		"other white space":                 "\u00a01",
		"a vertical tab":                    "\v1",
		"an open object":                    `{"a":1`,
		"an open object after a comma":      `{"a":1,`,
		"a comma before a brace":            `{"a":1,}`,
		"a comma after a brace":             `{,"a":1}`,
		"a member without a value":          `{"a":}`,
		"a member without a colon":          `{"a" 1}`,
		"a member that ends after a name":   `{"a"`,
		"a name without quotes":             `{a:1}`,
		"a number for a name":               `{1:1}`,
		"two values in a row":               `{"a":1 "b":2}`,
		"an open array":                     `[1`,
		"an array that never began":         `1]`,
		"a comma before a bracket":          `[1,]`,
		"a comma after a bracket":           `[,1]`,
		"elements without a comma":          `[1 2]`,
		"an array closed by a brace":        `[1}`,
		"an object closed by a bracket":     `{"a":1]`,
		"an open string":                    `"a`,
		"a string that ends in a backslash": `"\`,
		"an escaped end":                    `"\"`,
		"an unknown escape":                 `"\x41"`,
		"an escape in capitals":             `"\U0041"`,
		"a short unicode escape":            `"\u004"`,
		"an unfinished unicode escape":      `"\u00`,
		"a wrong digit":                     `"\u00g1"`,
		"a wrong digit near the others":     `"\u00@1"`,
		"a wrong digit below them":          `"\u00/1"`,
		"a surrogate before a bad escape":   `"\ud800\u12"`,
		"a raw newline":                     "\"\n\"",
		"a raw control character":           "\"\x1f\"",
		"a raw control character in a name": "{\"\x00\":1}",
		"single quotes":                     `'a'`,
		"a plus":                            `+1`,
		"a minus alone":                     `-`,
		"a leading zero":                    `01`,
		"a leading zero after a minus":      `-01`,
		"a leading point":                   `.5`,
		"a point at the end":                `1.`,
		"a point before an exponent":        `1.e5`,
		"an exponent without digits":        `1e`,
		"a signed exponent without digits":  `1e+`,
		"two exponents":                     `1e5e5`,
		"hexadecimal":                       `0x10`,
		"not a number":                      `NaN`,
		"infinity":                          `-Infinity`,
		"half a word":                       `tru`,
		"a word with a tail":                `nullx`,
		"a misspelt word":                   `trie`,
		"a word in capitals":                `True`,
		"a comment":                         `/**/1`,
		"a comment at the end":              "1//",
		"invalid UTF-8 in a string":         "\"\xff\"",
		"invalid UTF-8 in a name":           "{\"\xc3\":1}",
		"invalid UTF-8 outside":             "1\xff",
		"a surrogate in UTF-8":              "\"\xed\xa0\x80\"",
		"an overlong form":                  "\"\xc0\xaf\"",
		"the same name twice":               `{"a":1,"a":1}`,
		"the same name twice, apart":        `{"a":1,"b":1,"a":2}`,
		"the same name twice, escaped":      `{"b":1,"a":1,"\u0061":2}`,
		"the same empty name twice":         `{"":1,"":2}`,
		"the same name twice, deeper":       `[{"x":{"c":1,"a":1,"b":2,"a":3}}]`,
		"the same lone surrogate twice":     `{"\ud800":1,"\uD800":2}`,
		"names that differ in case":         `{"Amount":1,"amount":2}`,
		"names that differ in case, apart":  `{"É":1,"b":2,"é":3}`,
		"names that fold to one letter":     `{"\u212a":1,"k":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, ok := JSON([]byte("kept"), []byte(src))
			require.False(t, ok)
			require.Equal(t, "kept", string(out))
		})
	}
}

func TestJSONTakesDepthUpToALimit(t *testing.T) {
	t.Parallel()
	for name, nest := range map[string][2]string{
		"arrays":  {"[", "]"},
		"objects": {`{"a":`, "}"},
		"both":    {`[{"b":1,"a":`, "}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			levels := MaxDepth / (strings.Count(nest[1], "]") + strings.Count(nest[1], "}"))
			text := func(n int) string { return strings.Repeat(nest[0], n) + "1" + strings.Repeat(nest[1], n) }

			_, ok := JSON(nil, []byte(text(levels)))
			require.True(t, ok)
			_, ok = JSON(nil, []byte(text(levels+1)))
			require.False(t, ok)
			_, ok = JSON(nil, []byte(strings.Repeat(nest[0], 1<<20)))
			require.False(t, ok)
		})
	}
}

func TestJSONAppends(t *testing.T) {
	t.Parallel()
	src := []byte(`{"b":1,"a":"x\u0041"}`)
	keep := bytes.Clone(src)
	out, ok := JSON([]byte("before "), src)
	require.True(t, ok)
	require.Equal(t, `before {"a":"xA","b":1}`, string(out))
	require.Equal(t, keep, src, "the source is not changed")

	first, ok := JSON(nil, []byte(`{"y":1}`))
	require.True(t, ok)
	_, ok = JSON(nil, []byte(`{"z":2}`))
	require.True(t, ok)
	require.Equal(t, `{"y":1}`, string(first), "the result is not used again")
}

// Texts that cost much where members are compared pairwise, or moved once for every level that they stand in: a quadratic
// way through one of them takes minutes, which the time-out of go test ends. BenchmarkAdversaries measures them.
func TestTextsMadeToBeSlowAreReadAllTheSame(t *testing.T) {
	t.Parallel()
	comparable := map[string]bool{"one name many times": false, "brackets": false}
	for name, src := range adversaries(1 << 20) {
		once, ok := JSON(nil, src)
		want, listed := comparable[name]
		require.Equal(t, want || !listed, ok, name)
		if ok {
			twice, ok := JSON(nil, once)
			require.True(t, ok, name)
			require.True(t, bytes.Equal(once, twice), name)
		}
	}
}

func BenchmarkAdversaries(b *testing.B) {
	texts := adversaries(1 << 20)
	texts["plain"] = []byte("[" + strings.Repeat(`{"a":1,"b":"abcdefgh"},`, (1<<20)/24) + "0]")
	for name, src := range texts {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, len(src))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				JSON(dst, src)
			}
		})
	}
}

// adversaries returns texts of about size bytes.
func adversaries(size int) map[string][]byte {
	var descending, prefixed, alike strings.Builder
	longName := strings.Repeat("p", 1000)
	for i := range size / 12 {
		fmt.Fprintf(&descending, `"%07d":1,`, size-i)
	}
	for i := range size / 1012 {
		fmt.Fprintf(&prefixed, `"%s%04d":1,`, longName, i*7919%9973)
	}
	for range size / 8 {
		alike.WriteString(`"ab":1,`)
	}
	deep := MaxDepth - 1
	return map[string][]byte{
		"many members in descending order":       []byte("{" + descending.String() + `"":0}`),
		"long names that differ at their end":    []byte("{" + prefixed.String() + `"":0}`),
		"one name many times":                    []byte("{" + alike.String() + `"":0}`),
		"unsorted at every level around a giant": []byte(strings.Repeat(`{"b":`, deep) + `"` + strings.Repeat("x", size) + `"` + strings.Repeat(`,"a":0}`, deep)),
		"many unsorted objects":                  []byte("[" + strings.Repeat(`{"b":0,"a":0},`, size/14) + "0]"),
		"many empty objects":                     []byte("[" + strings.Repeat(`{},`, size/3) + "0]"),
		"brackets":                               []byte(strings.Repeat("[", size)),
		"escapes":                                []byte(`"` + strings.Repeat(`\u0041`, size/6) + `"`),
		"surrogates":                             []byte(`"` + strings.Repeat(`\ud800`, size/6) + `"`),
	}
}

func TestAStringEndsWhereItEnds(t *testing.T) {
	t.Parallel()
	for at := range 40 {
		for _, c := range []string{`"`, `\n`, "\x1f", "\x00", "\x7f", "é", " ", "!", "#", "[", "]"} {
			before, after := strings.Repeat("a", at), strings.Repeat("~", 40-at)
			src := `"` + before + c + after + `"`
			out, ok := JSON(nil, []byte(src))
			require.Equal(t, json.Valid([]byte(src)), ok, "%q", src)
			if ok {
				require.Equal(t, src, string(out))
			}
		}
	}
}
