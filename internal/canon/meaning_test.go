package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// meaning is a JSON value that is not written yet. Text is in UTF-16, in which lone surrogates have a place.
type meaning struct {
	word    string // a number, true, false or null
	text    []uint16
	list    []meaning
	members []named
	kind    byte // 'w', 's', 'l' or 'o'
}

type named struct {
	name  []uint16
	value meaning
}

var words = []string{"null", "true", "false", "0", "-0", "1", "1.0", "1e0", "9007199254740992", "9007199254740993", "-1.50E+10"}

func drawText(t *rapid.T) []uint16 {
	units := []uint16{'a', 'b', '"', '\\', '/', 0, '\n', 0x1f, 0x7f, '<', 0xe9, 0x2028, 0xfffd, 0xd800, 0xd83d, 0xdc00, 0xde00}
	return rapid.SliceOfN(rapid.SampledFrom(units), 0, 4).Draw(t, "text")
}

func drawTree(t *rapid.T, depth int) meaning {
	switch kind := rapid.SampledFrom([]byte("wslo")).Draw(t, "kind"); {
	case kind == 'l' && depth > 0:
		v := meaning{kind: 'l'}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			v.list = append(v.list, drawTree(t, depth-1))
		}
		return v
	case kind == 'o' && depth > 0:
		v, taken := meaning{kind: 'o'}, map[string]bool{}
		for range rapid.IntRange(0, 5).Draw(t, "members") {
			name := drawText(t)
			if key := fmt.Sprint(name); !taken[key] {
				taken[key] = true
				v.members = append(v.members, named{name, drawTree(t, depth-1)})
			}
		}
		return v
	case kind == 's':
		return meaning{kind: 's', text: drawText(t)}
	}
	return meaning{kind: 'w', word: rapid.SampledFrom(words).Draw(t, "word")}
}

// spelling writes trees, each time with other white space, another order of members and other escapes.
type spelling struct {
	*rand.Rand
	strings.Builder
}

func spell(v meaning, seed uint64) []byte {
	s := &spelling{Rand: rand.New(rand.NewPCG(seed, 2))}
	s.value(v)
	return []byte(s.String())
}

func (s *spelling) space() { s.WriteString([]string{"", "", " ", "\n\t", "\r\n  "}[s.IntN(5)]) }

func (s *spelling) value(v meaning) {
	s.space()
	defer s.space()
	switch v.kind {
	case 'w':
		s.WriteString(v.word)
	case 's':
		s.text(v.text)
	case 'l':
		s.list('[', len(v.list), func(i int) { s.value(v.list[i]) }, ']')
	case 'o':
		order := s.Perm(len(v.members))
		s.list('{', len(order), func(i int) {
			m := v.members[order[i]]
			s.space()
			s.text(m.name)
			s.space()
			s.WriteByte(':')
			s.value(m.value)
		}, '}')
	}
}

func (s *spelling) list(open byte, n int, element func(int), end byte) {
	s.WriteByte(open)
	s.space()
	for i := range n {
		if i > 0 {
			s.WriteByte(',')
		}
		element(i)
	}
	s.WriteByte(end)
}

func (s *spelling) text(units []uint16) {
	s.WriteByte('"')
	for i := 0; i < len(units); i++ {
		c := rune(units[i])
		if i+1 < len(units) && utf16.IsSurrogate(c) {
			if pair := utf16.DecodeRune(c, rune(units[i+1])); pair != utf8.RuneError && s.IntN(2) == 0 {
				s.WriteRune(pair)
				i++
				continue
			}
		}
		short := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\n': `\n`}[c]
		switch {
		case short != "" && s.IntN(2) == 0:
			s.WriteString(short)
		case c < ' ' || c == '"' || c == '\\' || utf16.IsSurrogate(c) || s.IntN(3) == 0:
			fmt.Fprintf(s, []string{`\u%04x`, `\u%04X`}[s.IntN(2)], c)
		default:
			s.WriteRune(c)
		}
	}
	s.WriteByte('"')
}

func TestTheSpellingOfAJSONTextDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := drawTree(t, 4)
		a := canonical(t, string(spell(v, rapid.Uint64().Draw(t, "a"))))
		b := canonical(t, string(spell(v, rapid.Uint64().Draw(t, "b"))))
		require.Equal(t, a, b)
		require.Equal(t, a, canonical(t, a), "the form of the form")
	})
}

func TestOtherMeaningsHaveOtherForms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTree(t, 2), drawTree(t, 2)
		if rapid.Bool().Draw(t, "alike") {
			b = altered(t, a)
		}
		same := canonical(t, string(spell(a, 1))) == canonical(t, string(spell(b, 2)))
		require.Equal(t, identity(a) == identity(b), same)
	})
}

// altered returns v with one thing changed somewhere in it.
func altered(t *rapid.T, v meaning) meaning {
	switch n := len(v.list) + len(v.members); {
	case n == 0:
		return drawTree(t, 1)
	case v.kind == 'l':
		v.list = append([]meaning{}, v.list...)
		i := rapid.IntRange(0, n-1).Draw(t, "element")
		v.list[i] = altered(t, v.list[i])
	default:
		v.members = append([]named{}, v.members...)
		i := rapid.IntRange(0, n-1).Draw(t, "member")
		v.members[i].value = altered(t, v.members[i].value)
	}
	return v
}

// identity says what v means in a way that has nothing in common with JSON.
func identity(v meaning) string {
	var parts []string
	for _, e := range v.list {
		parts = append(parts, identity(e))
	}
	byName := map[string]string{}
	for _, m := range v.members {
		byName[fmt.Sprint(m.name)] = identity(m.value)
	}
	return fmt.Sprintf("%c(%s %v %q %q)", v.kind, v.word, v.text, parts, byName) // fmt sorts maps
}

// FuzzJSON compares JSON with encoding/json, which takes a little more and resolves escapes as JSON does.
func FuzzJSON(f *testing.F) {
	for _, src := range []string{`{"b":[1,2.50,-3e4],"a":{"d":"\ud83d\ude00","c":null}}`, ` [ true , "\u0041\n" ] `, `{"a":1,"\u0061":2}`} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		out, ok := JSON(nil, src)
		if !ok {
			requireReason(t, src)
			return
		}
		require.True(t, json.Valid(src))
		require.True(t, json.Valid(out))
		require.LessOrEqual(t, len(out), len(src))
		require.Equal(t, decoded(t, src), decoded(t, out))
		require.Equal(t, string(out), canonical(t, string(out)), "the form of the form")

		var spaced bytes.Buffer
		require.NoError(t, json.Indent(&spaced, src, "\r", "\t"))
		require.Equal(t, string(out), canonical(t, spaced.String()), "white space")

		// encoding/json sorts members and spells strings in its own way; it cannot write lone surrogates.
		meant := decoded(t, src)
		if respelt, err := json.Marshal(meant); err == nil && !bytes.Contains(respelt, []byte(`\ufffd`)) && !bytes.Contains(respelt, []byte("\ufffd")) {
			require.Equal(t, string(out), canonical(t, string(respelt)), "another spelling")
		}
	})
}

func decoded(t *testing.T, src []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	return v
}

// requireReason fails unless there is a reason to refuse src.
func requireReason(t *testing.T, src []byte) {
	if !json.Valid(src) || !utf8.Valid(src) {
		return
	}
	d := json.NewDecoder(bytes.NewReader(src))
	require.True(t, repeats(t, d) || tooDeep(src), "refused without a reason: %q", src)
}

// repeats reports whether an object of the text has a name twice, perhaps in another case. Lone surrogates look alike here,
// so it finds more.
func repeats(t *testing.T, d *json.Decoder) bool {
	token, err := d.Token()
	if err == io.EOF {
		return false
	}
	require.NoError(t, err)
	var names []string
	found := false
	for open := token == json.Delim('{') || token == json.Delim('['); open && d.More(); {
		if token == json.Delim('{') {
			name, err := d.Token()
			require.NoError(t, err)
			found = found || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name.(string)) })
			names = append(names, name.(string))
		}
		found = repeats(t, d) || found
	}
	if _, isDelim := token.(json.Delim); isDelim {
		_, err = d.Token()
		require.NoError(t, err)
	}
	return found
}

func tooDeep(src []byte) bool {
	depth, deepest := 0, 0
	d := json.NewDecoder(bytes.NewReader(src))
	for {
		token, err := d.Token()
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if err != nil {
			return deepest > MaxDepth
		}
	}
}

func TestTheCorpusIsThere(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "fuzz", "FuzzJSON", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(text, []byte("go test fuzz v1\n")), name)
	}
}
