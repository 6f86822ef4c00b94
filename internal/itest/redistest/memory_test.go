package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

const large = 100 << 10

// fill uses up the server's memory.
func (s *storage) fill(t testing.TB) {
	t.Helper()
	used := s.own.InfoMap(t.Context(), "memory").Item("Memory", "used_memory")
	require.NoError(t, s.own.ConfigSet(t.Context(), "maxmemory", used).Err())
	for i := 0; ; i++ {
		err := s.own.Set(t.Context(), fmt.Sprintf("filler %d", i), strings.Repeat("x", 4096), 0).Err()
		if err != nil {
			require.ErrorContains(t, err, "OOM")
			return
		}
	}
}

func (s *storage) unfill(t testing.TB) {
	t.Helper()
	require.NoError(t, s.own.ConfigSet(t.Context(), "maxmemory", "0").Err())
}

func TestWhereTheMemoryIsFullClaimsFailAndWhatRunsIsFinished(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store, ctx := s.open(t), t.Context()
	done, small, big, freed, held := claimOf("done"), claimOf("small"), claimOf("big"), claimOf("freed"), claimOf("held")
	resolved, resolvedBig, lapsed := claimOf("resolved"), claimOf("resolved big"), claimOf("lapsed")
	for _, c := range []backend.Claim{done, small, big, freed, held, resolved, resolvedBig, lapsed} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer", backend.Kept)
	for _, c := range []backend.Claim{resolved, resolvedBig} {
		answers(t, backend.Kept)(store.Hold(ctx, c.ID, c.Token, ""))
	}
	s.fill(t)

	fresh := claimOf("new")
	_, err := store.Begin(ctx, fresh)
	require.ErrorContains(t, err, "OOM", "a claim fails closed")
	require.NotErrorIs(t, err, backend.ErrTooLarge)
	require.Zero(t, s.own.Exists(ctx, s.key(fresh.ID)).Val())

	begins(t, store, again(done), backend.Replay)
	begins(t, store, again(small), backend.InFlight)
	begins(t, store, again(resolved), backend.Held)
	begins(t, store, otherRequest(done), backend.Mismatch)
	answers(t, backend.Kept)(store.Renew(ctx, small.ID, small.Token, renewal(strings.Repeat("n", backend.MaxNote))))
	completes(t, store, small, strings.Repeat("x", 8<<10), backend.Kept)
	answers(t, backend.Kept)(store.Release(ctx, freed.ID, freed.Token))
	answers(t, backend.Kept)(store.Hold(ctx, held.ID, held.Token, strings.Repeat("n", backend.MaxNote)))

	_, err = store.Complete(ctx, big.ID, big.Token, completion(big, strings.Repeat("x", large)))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	begins(t, store, again(big), backend.InFlight)
	completes(t, store, big, "tombstone", backend.Kept)
	completes(t, store, again(big), strings.Repeat("x", large), backend.Replay)

	_, err = store.Resolve(ctx, backend.NewRef(resolvedBig.ID, resolvedBig.Token), completion(resolvedBig, strings.Repeat("x", large)))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	answers(t, backend.Kept)(store.Resolve(ctx, backend.NewRef(resolved.ID, resolved.Token), completion(resolved, "answer")))
	answers(t, backend.Kept)(store.Free(ctx, backend.NewRef(resolvedBig.ID, resolvedBig.Token)))

	s.advance(t, lapsed.Lease)
	_, err = store.Begin(ctx, again(lapsed))
	require.ErrorContains(t, err, "OOM", "a takeover fails closed")
	s.unfill(t)
	require.Equal(t, 2, begins(t, store, again(lapsed), backend.Claimed).Attempt)
	begins(t, store, fresh, backend.Claimed)
}

func TestAnAnswerThatFindsTheMemoryFullBecomesATombstone(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	guard, err := idem.New("guard", s.open(t))
	require.NoError(t, err)
	runs, answer := 0, strings.Repeat("x", large)
	pay := func(context.Context, int) (string, error) {
		runs++
		s.fill(t)
		return answer, nil
	}
	got, err := idem.DoResult(t.Context(), guard, "key", "user", 5, pay)
	require.NoError(t, err)
	require.Equal(t, answer, got.Value, "the first caller has his answer")
	require.False(t, got.Kept)
	_, err = idem.Do(t.Context(), guard, "key", "user", 5, pay)
	require.ErrorIs(t, err, idem.ErrAnswerNotKept)
	_, err = idem.Do(t.Context(), guard, "another key", "user", 5, pay)
	require.ErrorIs(t, err, idem.ErrUnavailable, "a claim fails closed")
	require.Equal(t, 1, runs)
}

// A server before 7.0 permits no write at all: the answer is not stored, and the caller is told.
func TestAnOlderServerWhoseMemoryIsFullStoresNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	client := s.client(t)
	client.AddHook(olderServer{})
	store, c := s.openOn(t, client), claimOf("key")
	begins(t, store, c, backend.Claimed)
	s.fill(t)
	_, err := store.Complete(t.Context(), c.ID, c.Token, completion(c, strings.Repeat("x", large)))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	_, err = store.Complete(t.Context(), c.ID, c.Token, completion(c, "tombstone"))
	require.ErrorContains(t, err, "OOM")
	require.NotErrorIs(t, err, backend.ErrTooLarge, "it may fit later")
	begins(t, store, again(c), backend.InFlight)
	s.unfill(t)
	completes(t, store, c, "answer", backend.Kept)
}

func TestAnAnswerThatTheProtocolCannotTakeIsTooLarge(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--proto-max-bulk-len", "1mb").storage()
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	_, err := store.Complete(t.Context(), c.ID, c.Token, completion(c, strings.Repeat("x", 1<<20+1)))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	completes(t, store, c, strings.Repeat("x", 1<<20), backend.Kept)
	_, err = store.Resolve(t.Context(), backend.NewRef(c.ID, c.Token), completion(c, strings.Repeat("x", 1<<20+1)))
	require.ErrorIs(t, err, backend.ErrTooLarge)
}
