package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

func TestResolveStoresTheAnswer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "answer.json")
	require.NoError(t, os.WriteFile(file, []byte("{\n  \"ID\": \"ch_9\"\n}\n"), 0o600))
	for _, c := range []struct {
		name, stdin string
		args        []string
	}{
		{name: "from an argument", args: []string{"-answer", ` { "ID" : "ch_9" } `}},
		{name: "from a file", args: []string{"-answer-file", file}},
		{name: "from standard input", args: []string{"-"}, stdin: `{"ID":"ch_9"}`},
		{name: "with the codec named", args: []string{"-codec", "json", "-answer", `{"ID":"ch_9"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			rec := s.unknown("k")
			args := append([]string{"resolve", rec.Ref.String(), "-guard", "payments"}, c.args...)
			r := typed{backend: s.url(), stdin: c.stdin}.idem(t, args...).ok("resolved: calls with this key get the answer for 24h0m")
			require.NotContains(t, r.stdout, "ch_9", "an answer is shown")
			got, err := s.charge("k")
			require.NoError(t, err)
			require.Equal(t, receipt{ID: "ch_9"}, got)
			require.Equal(t, rec.Ref, s.lookup("k").Ref)
		})
	}
}

func TestResolveAsJSON(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	var got settledJSON
	s.idem("-json", "resolve", rec.Ref.String(), "-guard", "payments", "-answer", "{}").ok().json(&got)
	require.Equal(t, settledJSON{Ref: rec.Ref.String(), State: "done"}, got)
}

func TestTheRetentionOfAResolvedAnswerCanBeChosen(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	s.idem("resolve", rec.Ref.String(), "-guard", "payments", "-answer", "{}", "-retention", "72h").ok("for 3d0h")
	require.InDelta(t, 72*time.Hour, s.lookup("k").ExpiresIn, float64(time.Minute))
}

// TestTheAnswerIsWhatTheProgramWouldHaveStored compares bytes: what replays is what the codec would have written for
// the typed value, however the operator laid it out.
func TestTheAnswerIsWhatTheProgramWouldHaveStored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		value any
		typed string
	}{
		{"an object", receipt{ID: "ch_1", Notes: []string{"a", "b"}}, "{ \"ID\" : \"ch_1\",\n\t\"Notes\": [\"a\", \"b\"] }"},
		{"what is escaped for HTML", receipt{ID: "<a&b>"}, `{"ID":"<a&b>","Notes":null}`},
		{"line separators", receipt{ID: "\u2028\u2029"}, "{\"ID\":\"\u2028\u2029\",\"Notes\":null}"},
		{"a large number", json.Number("9007199254740993"), " 9007199254740993 "},
		{"a string", "Zoë", ` "Zoë" `},
		{"false", false, "false"},
		{"null", nil, "null"},
		{"an empty list", []int{}, " [ ] "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			rec := s.unknown("k")
			s.idem("resolve", rec.Ref.String(), "-guard", "payments", "-answer", c.typed).ok()
			want, err := idem.JSON.Encode(c.value)
			require.NoError(t, err)
			out, err := s.guard.Exec(t.Context(), idem.Call{
				Key: "k", User: "account-7", Fingerprint: rec.Fingerprint, Codec: idem.JSON.Name(),
				Run: func(context.Context) idem.Answer { panic("it runs again") },
			})
			require.NoError(t, err)
			require.True(t, out.Replayed)
			require.Equal(t, idem.KindValue, out.Kind)
			require.Equal(t, string(want), string(out.Payload))
		})
	}
}

func TestAnAnswerThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newShop(t)
	rec := s.unknown("k")
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{name: "not JSON", args: []string{"-answer", `{"ID": ` + secret + `}`}, want: "the answer is not valid JSON, at byte 8"},
		{name: "cut short", args: []string{"-answer", `{"ID": "ch_1"`}, want: "not valid JSON"},
		{name: "two values", args: []string{"-answer", `{} {}`}, want: "not valid JSON"},
		{name: "nothing on standard input", args: []string{"-"}, want: "not valid JSON"},
		{name: "bytes that are no text", args: []string{"-answer", "\"\xff\""}, want: "not valid UTF-8"},
		{name: "a file that is not there", args: []string{"-answer-file", filepath.Join(dir, "none")}, want: "no such file"},
		{name: "a file that cannot be read", args: []string{"-answer-file", dir}, want: "is a directory"},
		{name: "too much", args: []string{"-"}, stdin: `"` + strings.Repeat("a", maxAnswer) + `"`, want: "more than 16 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"resolve", rec.Ref.String(), "-guard", "payments"}, c.args...)
			r := typed{backend: s.url(), stdin: c.stdin}.idem(t, args...)
			r.fails(exitFault, "nothing was changed: the answer").fails(exitFault, c.want)
			require.Equal(t, backend.Unknown, s.lookup("k").State)
		})
	}
}
