package redisbackend

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/idem-go/idem/backend"
)

// anyRecord draws one that this package can write.
func anyRecord(t *rapid.T) record {
	ms := rapid.Int64Range(0, 2*math.MaxInt64/1_000_000)
	raw := func(what string, length int) []byte {
		return rapid.SliceOfN(rapid.Byte(), length, length).Draw(t, what)
	}
	r := record{
		state:       rapid.SampledFrom([]byte{pending, done, unknown}).Draw(t, "state"),
		token:       backend.Token(raw("token", len(backend.Token{}))),
		fingerprint: backend.Fingerprint(raw("fingerprint", len(backend.Fingerprint{}))),
		hold:        rapid.Bool().Draw(t, "hold"),
		waited:      rapid.Bool().Draw(t, "waited"),
		attempt:     rapid.Int64Range(1, math.MaxInt32).Draw(t, "attempt"),
		lease:       ms.Draw(t, "lease"),
		retention:   ms.Draw(t, "retention"),
		since:       ms.Draw(t, "since"),
		guard:       rapid.String().Draw(t, "guard"),
		user:        rapid.String().Draw(t, "user"),
		key:         rapid.String().Draw(t, "key"),
		note:        rapid.String().Draw(t, "note"),
	}
	if r.state == done {
		r.answer = string(rapid.SliceOf(rapid.Byte()).Draw(t, "answer"))
	}
	return r
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := anyRecord(t)
		raw := string(want.appendTo(nil))
		got, err := parse(raw, len(raw))
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, claimOf(want.state, want.token), raw[:partToken.end])
		got, err = parse(raw[:want.size()], len(raw))
		require.NoError(t, err, "without its answer")
		want.answer = ""
		require.Equal(t, want, got)
	})
}

func TestTheHeadIsText(t *testing.T) {
	t.Parallel()
	raw := (&record{state: done, hold: true, attempt: 7, lease: -1, retention: math.MaxInt64 / 1_000_000}).appendTo(nil)
	require.Regexp(t, `^idem1d[ -~]+$`, string(raw))
	require.Len(t, raw, head)
}

func TestADamagedRecordIsCorrupt(t *testing.T) {
	t.Parallel()
	whole := record{state: pending, attempt: 1, guard: "guard", user: "user", key: "key", note: "note"}
	at := func(p part, is string) func(string) string {
		return func(raw string) string { return raw[:p.at] + is + raw[p.at+len(is):] }
	}
	for name, c := range map[string]struct {
		damage func(string) string
		want   error
	}{
		"nothing":             {func(string) string { return "" }, backend.ErrCorrupt},
		"another string":      {func(string) string { return strings.Repeat("value", 50) }, backend.ErrCorrupt},
		"a short head":        {func(raw string) string { return raw[:head-1] }, backend.ErrCorrupt},
		"a short text":        {func(raw string) string { return raw[:len(raw)-1] }, backend.ErrCorrupt},
		"too much":            {func(raw string) string { return raw + "x" }, backend.ErrCorrupt},
		"the next version":    {func(raw string) string { return "idem2" + raw[5:] }, backend.ErrVersion},
		"only the next one":   {func(string) string { return "idem2" }, backend.ErrVersion},
		"a state":             {at(partState, "f"), backend.ErrCorrupt},
		"a token":             {at(partToken, "!"), backend.ErrCorrupt},
		"a token's last bits": {func(raw string) string { return raw[:partToken.end-1] + "B" + raw[partToken.end:] }, backend.ErrCorrupt},
		"a line in a token":   {at(partToken, "\n"), backend.ErrCorrupt},
		"a fingerprint":       {at(partFingerprint, "!"), backend.ErrCorrupt},
		"hold":                {at(partHold, "2"), backend.ErrCorrupt},
		"waited":              {at(partWaited, " "), backend.ErrCorrupt},
		"no attempt":          {at(partAttempt, "0000000000"), backend.ErrCorrupt},
		"too many attempts":   {at(partAttempt, "2147483648"), backend.ErrCorrupt},
		"a lease":             {at(partLease, "-1"), backend.ErrCorrupt},
		"a retention":         {at(partRetention, "x"), backend.ErrCorrupt},
		"a time":              {at(partSince, " "), backend.ErrCorrupt},
		"a guard":             {at(partGuard, "999999999"), backend.ErrCorrupt},
		"a size":              {at(partSize, "000000000"), backend.ErrCorrupt},
	} {
		raw := c.damage(string(whole.appendTo(nil)))
		_, err := parse(raw, len(raw))
		require.ErrorIs(t, err, c.want, name)
	}
	long := record{state: unknown, attempt: 1, answer: "answer"}
	raw := string(long.appendTo(nil))
	_, err := parse(raw, len(raw))
	require.ErrorIs(t, err, backend.ErrCorrupt, "only a done record has an answer")
}

// Whatever stands at a key is read without a panic, and what is read is written again as it stood there.
func FuzzParse(f *testing.F) {
	f.Add("", 0)
	f.Add("value", 5)
	for _, r := range []record{
		{state: pending, attempt: 1, hold: true, guard: "g", user: "u", key: "k", note: "n"},
		{state: done, attempt: 2, lease: 3, retention: 4, answer: "answer"},
		{state: unknown, attempt: math.MaxInt32, since: 1_800_000_000_000, waited: true},
	} {
		raw := string(r.appendTo(nil))
		f.Add(raw, len(raw))
		f.Add(raw[:head], len(raw))
	}
	f.Fuzz(func(t *testing.T, raw string, long int) {
		r, err := parse(raw, long)
		if err == nil && string(r.appendTo(nil)) != raw {
			t.Fatalf("%q is read as %+v", raw, r)
		}
	})
}

// The scripts take all places from here: none has a number of its own, and no name in them is unknown.
func TestScriptsTakeThePlacesFromTheLayout(t *testing.T) {
	t.Parallel()
	require.Equal(t, "string.sub(r, 7, 28) .. string.sub(r, 29) .. 28 - 1 .. 'idem1p' .. 'idem1' .. KEYS[1] .. 'GET'",
		spelled("string.sub(r, TOKEN) .. string.sub(r, FINGERPRINT_AT) .. TOKEN_END - 1 .. PENDING .. IDEM .. KEYS[1] .. 'GET'"))
	files, err := sources.ReadDir("lua")
	require.NoError(t, err)
	name, number := regexp.MustCompile(`[^'A-Z_]([A-Z]{2,}[A-Z_]*)\b`), regexp.MustCompile(`\bsub\([a-z]+, [2-9]`)
	for _, file := range files {
		raw, err := sources.ReadFile("lua/" + file.Name())
		require.NoError(t, err)
		require.NotRegexp(t, number, string(raw), file.Name())
		for line := range strings.Lines(spelled(string(raw))) {
			code, _, _ := strings.Cut(line, "--")
			for _, found := range name.FindAllStringSubmatch(code, -1) {
				require.True(t, slices.Contains([]string{"KEYS", "ARGV", "ERR"}, found[1]), "%s: %s", file.Name(), found[1])
			}
		}
	}
	last := 0
	for _, p := range []part{
		partFormat, partState, partToken, partFingerprint, partHold, partWaited, partAttempt, partLease, partRetention, partSince,
		partGuard, partUser, partKey, partSize,
	} {
		require.Equal(t, last, p.at, "no gap and no overlap")
		last = p.end
	}
	require.Equal(t, head, last)
}
