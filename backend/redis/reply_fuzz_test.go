package redisbackend

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// FuzzReply: whatever a server answers, reading it does not panic, and is either an error without a verdict or a verdict
// without an error. An answer is written here with a line for each of its parts: ":" begins a number, "-" stands for nothing.
func FuzzReply(f *testing.F) {
	id, token, fp := backend.NewID("", "", "key"), backend.NewToken(), backend.NewFingerprint()
	for _, text := range []string{
		":1", ":0", ":-9223372036854775808", "done\n1\n10\nanswer\n:5", "done\n1\n10\n\n:-1", "mismatch", "kept\nanswer", "kept\n-",
		"held\n:5", "in flight\n:5\n:-5", "in flight\n9223372036854775807\n:1", "corrupt\nwhat", "frozen", "",
		strings.Join([]string{"pending", text(fp[:]), text(token[:]), "2", "1", ":3000", ":10000", "0", ":-1", ":0", "note", "g", "u", "k"}, "\n"),
	} {
		f.Add(text)
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

// answerOf is what the client would return: a number alone, or a list.
func answerOf(text string) any {
	var list []any
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		n, err := strconv.ParseInt(strings.TrimPrefix(line, ":"), 10, 64)
		switch {
		case line == "-":
			list = append(list, nil)
		case strings.HasPrefix(line, ":") && err == nil:
			list = append(list, n)
		default:
			list = append(list, line)
		}
	}
	if len(list) == 1 {
		if n, ok := list[0].(int64); ok {
			return n
		}
	}
	return list
}
