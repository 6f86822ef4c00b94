package httpadapter

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

// recorded is a recorder that a handler has finished with.
func recorded(status int, body string, headers ...string) *recorder {
	rec := new(recorder)
	rec.begin(nil, 1<<20, spool{}, nil)
	for i := 0; i < len(headers); i += 2 {
		rec.Header().Add(headers[i], headers[i+1])
	}
	rec.WriteHeader(status)
	_, _ = rec.WriteString(body)
	rec.finish()
	return rec
}

func TestAnAnswerSurvivesItsCodec(t *testing.T) {
	t.Parallel()
	rec := recorded(201, "body\x00bytes", "Location", "/orders/1", "Link", "<a>", "Link", "", "Link", "<c>", "Set-Cookie", "s=1", "X-Own", "1")
	payload, tombstone := rec.encode(replayedByDefault)
	a, err := decode(payload)
	require.NoError(t, err)
	require.Equal(t, 201, a.status)
	require.Equal(t, "body\x00bytes", string(a.body))
	var lines []string
	for name, value := range a.each {
		lines = append(lines, name+": "+value)
	}
	require.ElementsMatch(t, []string{"Location: /orders/1", "Link: <a>", "Link: ", "Link: <c>", "Content-Type: application/octet-stream"}, lines)
	require.NotContains(t, string(payload), "s=1")

	a, err = decode(tombstone)
	require.NoError(t, err)
	require.Equal(t, 201, a.status)
	require.Empty(t, a.body)
	location, _ := a.value("Location")
	require.Equal(t, "/orders/1", location)
}

func TestDecodingCopiesNothingOfTheBody(t *testing.T) {
	payload, _ := recorded(200, "body").encode(replayedByDefault)
	a, err := decode(payload)
	require.NoError(t, err)
	require.Same(t, &payload[0], &a.body[0])
	require.Equal(t, len(a.body), cap(a.body), "appending to the body must not reach the block")

	large, _ := recorded(200, strings.Repeat("x", 1<<20)).encode(replayedByDefault)
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() { _, _ = decode(large) }), 1.0)
}

func TestATombstoneIsAtMost4KiB(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 5000)
	cases := map[string]struct {
		rec      *recorder
		location string
	}{
		"with all its headers":        {recorded(201, "", "Location", "/1", "Link", "<a>"), "/1"},
		"with its location":           {recorded(201, "", "Location", "/1", "Link", large), "/1"},
		"with nothing but its status": {recorded(201, "", "Location", large), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, tombstone := c.rec.encode(replayedByDefault)
			require.LessOrEqual(t, len(tombstone), 4<<10)
			a, err := decode(tombstone)
			require.NoError(t, err)
			require.Equal(t, 201, a.status)
			location, _ := a.value("Location")
			require.Equal(t, c.location, location)
		})
	}
}

func TestBytesThatAreNoAnswerAreRefused(t *testing.T) {
	t.Parallel()
	good, _ := recorded(201, "body", "Location", "/1").encode(replayedByDefault)
	for cut := range len(good) {
		_, err := decode(good[:cut])
		require.ErrorIs(t, err, idem.ErrCorrupt, cut)
	}
	block := func(numbers ...byte) []byte { return append(numbers, 0, 0, 0, byte(len(numbers))) }
	for name, payload := range map[string][]byte{
		"a status that cannot be sent":    block(99, 0),
		"a status over 999":               block(0xe8, 0x07, 0),
		"an informational status":         block(100, 0),
		"more lines than there are bytes": block(0xc8, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"a line that is not there":        block(0xc8, 0x01, 1),
		"a name that is too long":         block(0xc8, 0x01, 1, 200, 'x', 1, 'y'),
		"bytes behind the last line":      block(0xc8, 0x01, 0, 0),
		"a number without an end":         block(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a block that is too long":        {0xc8, 0x01, 0, 0xff, 0xff, 0xff, 0xff},
		"a body where none may be":        append([]byte("body"), block(0xcc, 0x01, 0)...),
	} {
		_, err := decode(payload)
		require.ErrorIs(t, err, idem.ErrCorrupt, name)
	}
	_, err := decode(block(0xc8, 0x01, 0))
	require.NoError(t, err, "an answer without headers and body")
}

// FuzzDecode gives the decoder bytes that a store should never hold.
func FuzzDecode(f *testing.F) {
	for _, rec := range []*recorder{
		recorded(200, ""), recorded(204, ""), recorded(999, "x"),
		recorded(201, "body", "Location", "/1", "Link", "<a>", "Link", "<b>"),
	} {
		payload, tombstone := rec.encode(replayedByDefault)
		f.Add(payload)
		f.Add(tombstone)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		a, err := decode(payload)
		require.Equal(t, before, payload)
		if err != nil {
			require.ErrorIs(t, err, idem.ErrCorrupt)
			return
		}
		// What was decoded must come out as it is, and writing it down again must not change it.
		all, fields := headerSet{}, []field(nil)
		for name, value := range a.each {
			all[http.CanonicalHeaderKey(name)] = struct{}{}
			fields = append(fields, field{name, value})
		}
		require.Len(t, fields, a.count)
		again, err := decode(appendBlock(bytes.Clone(a.body), a.status, fields, all))
		require.NoError(t, err)
		require.Equal(t, a.status, again.status)
		require.Equal(t, string(a.body), string(again.body))
		var read []field
		for name, value := range again.each {
			read = append(read, field{name, value})
		}
		require.Equal(t, fields, read)
	})
}
