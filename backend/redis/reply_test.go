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
	stored := string((&record{state: done, attempt: 1, retention: 10, answer: "answer"}).appendTo(nil))
	for _, answer := range []any{nil, "", "OK", stored[1:], true, 1.5, []any{}, map[any]any{}} {
		_, err := newReply(answer, nil)
		require.ErrorIs(t, err, errReply, "%v", answer)
	}
	for _, list := range [][]any{
		{"frozen"},
		{int64(1)},
		{nil},
		{"in flight"},
		{"in flight", int64(1)},
		{"held"},
		{"held", "long"},
		{"kept"},
		{"kept", nil},
		{"replay", stored},
		{"unread", format},
	} {
		for name, read := range map[string]func(reply, error) (backend.Grant, error){"begun": begun, "ended": ended} {
			g, err := read(newReply(list, nil))
			require.Error(t, err, "%s %v", name, list)
			require.Zero(t, g.Verdict, "%s %v", name, list)
		}
	}
	left := "00000000000005"
	for _, answer := range []any{
		stored[:head-1] + left, format + left,
		[]any{"kept", "value"},
		[]any{"corrupt", "what"},
		[]any{"unread", "value"},
		[]any{"unread", ""},
	} {
		_, err := begun(newReply(answer, nil))
		require.ErrorIs(t, err, backend.ErrCorrupt, "%v", answer)
	}
	_, err := newReply([]any{"unread", "idem2"}, nil)
	require.ErrorIs(t, err, backend.ErrVersion)
	_, err = begun(newReply(stored+"soon..........", nil))
	require.ErrorIs(t, err, errReply)
	for _, read := range []func(reply, error) (backend.Grant, error){begun, ended} {
		g, err := read(newReply(stored+left, nil))
		require.NoError(t, err)
		require.Equal(t, backend.Grant{Verdict: backend.Replay, Attempt: 1, Age: 5 * time.Millisecond, RetentionLeft: 5 * time.Millisecond, Answer: []byte("answer")}, g)
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
	_, err = newReply(int64(1), failed)
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

func TestARecordIsShownAsItIsNow(t *testing.T) {
	t.Parallel()
	id, token, fp := backend.NewID("", "", "key"), backend.NewToken(), backend.NewFingerprint()
	stored := record{
		state: pending, token: token, fingerprint: fp, attempt: 2, lease: 10_000, retention: 60_000, since: 3000,
		guard: "g", user: "u", key: "k", note: "note",
	}
	want := backend.Record{
		Ref: backend.NewRef(id, token), Guard: "g", User: "u", Key: "k", State: backend.Pending, Attempt: 2, Fingerprint: fp, Note: "note",
	}
	for name, c := range map[string]struct {
		change func(*record)
		left   int64
		want   func(*backend.Record)
	}{
		"a claim that expires": {func(*record) {}, 67_000, func(r *backend.Record) {
			r.Age, r.LeaseLeft, r.ExpiresIn = 6*time.Second, 7*time.Second, 67*time.Second
		}},
		"one whose lease is over": {func(*record) {}, 59_000, func(r *backend.Record) {
			r.Age, r.LeaseLeft, r.ExpiresIn = 14*time.Second, -time.Second, 59*time.Second
		}},
		"a claim that holds": {func(r *record) { r.hold = true }, -1, func(r *backend.Record) {
			r.Hold, r.Age, r.LeaseLeft = true, 4*time.Second, 6*time.Second
		}},
		"an unknown one": {func(r *record) { r.state = unknown }, -1, func(r *backend.Record) {
			r.State, r.Age = backend.Unknown, 4*time.Second
		}},
		"an answer": {func(r *record) { r.state, r.answer = done, "answer" }, 59_000, func(r *backend.Record) {
			r.State, r.Age, r.ExpiresIn, r.AnswerSize = backend.Done, time.Second, 59*time.Second, 6
		}},
	} {
		r, w := stored, want
		c.change(&r)
		c.want(&w)
		raw := string(r.appendTo(nil))
		got, err := reply{list: []any{"record", raw[:r.size()], int64(len(raw)), c.left, int64(7000)}}.record(id)
		require.NoError(t, err, name)
		require.Equal(t, shown{token: token, Record: w}, got, name)
	}
}

func TestWhatIsNotARecordIsNotShown(t *testing.T) {
	t.Parallel()
	id := backend.NewID("", "", "key")
	raw := string((&record{state: pending, attempt: 1}).appendTo(nil))
	long := int64(len(raw))
	for _, list := range [][]any{
		{"record", "value", int64(5), int64(-1), int64(1)},
		{"record", raw, long, int64(-1), int64(1)}, // its expiry is gone
		{"record", raw, long + 1, int64(5), int64(1)},
	} {
		_, err := reply{list: list}.record(id)
		require.ErrorIs(t, err, backend.ErrCorrupt, "%v", list)
	}
	for _, list := range [][]any{
		{"record"}, {"record", raw, long, int64(5)}, {"record", raw, "5", int64(5), int64(1)}, {"frozen", raw, long, int64(5), int64(1)},
	} {
		_, err := reply{list: list}.record(id)
		require.ErrorIs(t, err, errReply, "%v", list)
	}
	_, err := reply{number: 1}.record(id)
	require.ErrorIs(t, err, errReply)
	none, err := reply{}.record(id)
	require.NoError(t, err)
	require.Equal(t, backend.Absent, none.State)
}
