package redisbackend

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// What no script says is an error, never a verdict.
func TestAReplyThatNoScriptGivesIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, answer := range []any{nil, "OK", true, 1.5, []any{}, map[any]any{}} {
		_, err := newReply(answer, nil)
		require.ErrorIs(t, err, errReply, "%v", answer)
	}
	for _, list := range [][]any{
		{"frozen"}, {int64(1)}, {nil}, {"in flight"}, {"in flight", int64(1)}, {"held"}, {"held", "long"}, {"kept"}, {"kept", nil},
	} {
		for name, read := range map[string]func(reply, error) (backend.Grant, error){"begun": begun, "ended": ended} {
			g, err := read(reply{list: list}, nil)
			require.Error(t, err, "%s %v", name, list)
			require.Zero(t, g.Verdict, "%s %v", name, list)
		}
	}
	for _, list := range [][]any{
		{"done"},
		{"done", "1", "10", nil, int64(5)},
		{"done", "one", "10", "answer", int64(5)},
		{"done", "1", nil, "answer", int64(5)},
		{"done", "1", "10", "answer"},
		{"corrupt", "what"},
	} {
		_, err := begun(reply{list: list}, nil)
		require.ErrorIs(t, err, backend.ErrCorrupt, "%v", list)
	}
	for _, number := range []int64{-1, 2} {
		_, err := ended(reply{number: number}, nil)
		require.ErrorIs(t, err, errReply)
	}
	for _, number := range []int64{-1, 0} {
		_, err := begun(reply{number: number}, nil)
		require.ErrorIs(t, err, errReply, "no attempt has that number")
	}
	failed := errors.New("failed")
	_, err := newReply(int64(1), failed)
	require.ErrorIs(t, err, failed)
}

func TestTheAgeOfAnAnswerIsWhatIsNotLeftOfItsRetention(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		retention, left int64
		want            time.Duration
	}{
		{10_000, 10_000, 0},
		{10_000, 4_000, 6 * time.Second},
		{10_000, 0, 10 * time.Second},
		{10_000, -1, 0},     // somebody took its expiry away
		{10_000, 20_000, 0}, // or gave it another one
		{math.MaxInt64, 0, 2 * time.Duration(longest) * time.Millisecond},
	} {
		require.Equal(t, c.want, age(c.retention, c.left))
	}
}

func TestARecordThatCannotBeReadIsCorrupt(t *testing.T) {
	t.Parallel()
	id, token := backend.NewID("", "", "key"), backend.NewToken()
	fp := backend.NewFingerprint()
	whole := func() []any {
		return []any{
			"pending", text(fp[:]), text(token[:]), "2", "1", int64(3000), int64(10_000), "0", int64(-1), int64(0), "note", "g", "u", "k",
		}
	}
	got, err := reply{list: whole()}.record(id)
	require.NoError(t, err)
	require.Equal(t, shown{token: token, Record: backend.Record{
		Ref: backend.NewRef(id, token), Guard: "g", User: "u", Key: "k", State: backend.Pending, Attempt: 2, Hold: true,
		Fingerprint: fp, Age: 3 * time.Second, LeaseLeft: 7 * time.Second, Note: "note",
	}}, got)
	for at, wrong := range map[int]any{
		0: "frozen", 1: "short", 2: "not base64 of 16 bytes", 3: "0", 5: "soon", 6: nil, 7: "ever", 8: "never", 9: int64(-1), 10: nil, 13: int64(1),
	} {
		list := whole()
		list[at] = wrong
		_, err := reply{list: list}.record(id)
		require.ErrorIs(t, err, backend.ErrCorrupt, "%d", at)
	}
	_, err = reply{list: whole()[:13]}.record(id)
	require.ErrorIs(t, err, errReply)
	_, err = reply{list: []any{"corrupt", "what"}}.record(id)
	require.ErrorIs(t, err, backend.ErrCorrupt)
	_, err = reply{number: 1}.record(id)
	require.ErrorIs(t, err, errReply)
	none, err := reply{}.record(id)
	require.NoError(t, err)
	require.Equal(t, backend.Absent, none.State)
}
