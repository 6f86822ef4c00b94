package redisbackend

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// FuzzReply: whatever a server answers, reading it does not panic, and is either an error without a verdict or a verdict
// without an error. An answer is written here in parts between zero bytes: ":" begins a number, "-" stands for nothing, and
// an answer of one part is no list.
func FuzzReply(f *testing.F) {
	id := backend.NewID("", "", "key")
	stored := string((&record{state: done, attempt: 1, retention: 10, guard: "g", user: "u", key: "k", answer: "answer"}).appendTo(nil))
	claimed := string((&record{state: pending, hold: true, attempt: 2, lease: 3000, since: 5, note: "note"}).appendTo(nil))
	expiring := string((&record{state: pending, attempt: 1, lease: 3000, retention: 10000}).appendTo(nil))
	for _, parts := range [][]string{
		{":1"},
		{":0"},
		{":-9223372036854775808"},
		{":9223372036854775807"},
		{""},
		{"OK"},
		{stored + "00000000000005"},
		{stored + "-0000000000001"},
		{stored + "99999999999999"},
		{claimed + "00000000000005"},
		{stored},
		{"mismatch", "-"},
		{"kept", stored},
		{"kept", claimed},
		{"kept", "-"},
		{"held", ":5"},
		{"in flight", ":5", ":-5"},
		{"in flight", "9223372036854775807", ":1"},
		{"corrupt", "what"},
		{"unread", "idem2"},
		{"unread", format},
		{"frozen", ""},
		{"record", stored, ":" + strconv.Itoa(len(stored)), ":5", ":1800000000000"},
		{"record", claimed, ":" + strconv.Itoa(len(claimed)), ":-1", ":1800000000000"},
		{"record", expiring, ":" + strconv.Itoa(len(expiring)), ":9223372036854775807", ":-9223372036854775808"},
	} {
		f.Add(strings.Join(parts, "\x00"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := newReply(answerOf(text), nil)
		for _, read := range []func(reply, error) (backend.Grant, error){begun, ended} {
			g, err := read(r, err)
			require.Equal(t, err != nil, g.Verdict == 0, "%+v, %v", g, err)
			require.False(t, g.Age < 0 || g.LeaseLeft < 0, "%+v", g)
			if g.Verdict == backend.Claimed {
				require.Positive(t, g.Attempt)
			}
		}
		if err != nil {
			return
		}
		shown, err := r.record(id)
		if err == nil {
			require.False(t, shown.Age < 0 || shown.ExpiresIn < 0 || shown.AnswerSize < 0, "%+v", shown)
			require.Equal(t, shown.State == backend.Absent, shown.Attempt == 0, "%+v", shown)
		}
	})
}

// answerOf is what the client would return.
func answerOf(text string) any {
	var list []any
	for part := range strings.SplitSeq(text, "\x00") {
		n, err := strconv.ParseInt(strings.TrimPrefix(part, ":"), 10, 64)
		switch {
		case part == "-":
			list = append(list, nil)
		case strings.HasPrefix(part, ":") && err == nil:
			list = append(list, n)
		default:
			list = append(list, part)
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}
