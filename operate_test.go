package idem_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// leaveUnknown ends an attempt on the key without an answer.
func leaveUnknown(t *testing.T, g *idem.Guard, key idem.Key) idem.Record {
	t.Helper()
	_, err := idem.Do(t.Context(), g, key, "u", five, func(context.Context, charge) (receipt, error) {
		return receipt{}, idem.Uncertain(errDeclined)
	}, idem.Operation("charge"))
	require.ErrorIs(t, err, errDeclined)
	rec, err := g.Lookup(t.Context(), key, "u")
	require.NoError(t, err)
	require.Equal(t, backend.Unknown, rec.State)
	return rec
}

func TestAnOperatorResolvesAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		charges := idem.Must(idem.For[charge, receipt](g, "charge"))
		var gw gateway

		rec := leaveUnknown(t, g, "happened")
		require.NoError(t, charges.Resolve(t.Context(), rec.Ref, receipt{"ch_9", 500}))
		got, err := charges.Do(t.Context(), "happened", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, "ch_9", got.ID)
		require.Zero(t, gw.count())
		require.ErrorIs(t, charges.Resolve(t.Context(), rec.Ref, receipt{}), idem.ErrNotFound)

		rec = leaveUnknown(t, g, "did not")
		require.NoError(t, g.Release(t.Context(), rec.Ref))
		_, err = charges.Do(t.Context(), "did not", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, 1, gw.count())
	}, idem.Hold)
}

func TestAnOperatorActsOnTheRecordHeWasShownOnly(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		shownToA := leaveUnknown(t, g, "k")
		require.NoError(t, g.Release(t.Context(), shownToA.Ref), "B was faster")
		later := leaveUnknown(t, g, "k")
		require.Equal(t, shownToA.Attempt, later.Attempt)
		charges := idem.Must(idem.For[charge, receipt](g, "charge"))
		require.ErrorIs(t, charges.Resolve(t.Context(), shownToA.Ref, receipt{}), idem.ErrNotFound)
		require.ErrorIs(t, g.Release(t.Context(), shownToA.Ref), idem.ErrNotFound)
		require.Equal(t, backend.Unknown, state(t, g, "k"))

		parsed, err := backend.ParseRef(later.Ref.String())
		require.NoError(t, err)
		require.NoError(t, g.Release(t.Context(), parsed))
	})
}

func TestAnAnswerThatDoesNotSurviveItsCodecIsNoResolution(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	rec := leaveUnknown(t, g, "k")
	odd := idem.Must(idem.For[charge, chan int](g, "charge"))
	require.Error(t, odd.Resolve(t.Context(), rec.Ref, make(chan int)))
	require.Equal(t, backend.Unknown, state(t, g, "k"))
}

func TestForgettingAndListing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		other := idem.Must(idem.New("other", store))
		var gw gateway
		for i := range 250 {
			key := idem.Key(time.Duration(i).String())
			_, err := idem.Do(t.Context(), g, key, "u", five, gw.charge)
			require.NoError(t, err)
			_, err = idem.Do(t.Context(), other, key, "u", five, gw.charge)
			require.NoError(t, err)
		}
		seen := map[string]bool{}
		pages := 0
		for after := (idem.Cursor{}); ; pages++ {
			page, next, err := g.List(t.Context(), idem.Filter{Guard: "ignored", User: "u", State: backend.Done}, after)
			require.NoError(t, err)
			for _, rec := range page {
				require.Equal(t, "test", rec.Guard)
				seen[rec.Key] = true
			}
			if after = next; after.IsZero() {
				break
			}
		}
		require.Len(t, seen, 250)
		require.GreaterOrEqual(t, pages, 2)

		require.NoError(t, g.Forget(t.Context(), "1ns", "u"))
		require.ErrorIs(t, g.Forget(t.Context(), "1ns", "u"), idem.ErrNotFound)
		_, err := g.Lookup(t.Context(), "1ns", "u")
		require.ErrorIs(t, err, idem.ErrNotFound)
		n, err := g.ForgetUser(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, 249, n)
		_, err = other.Lookup(t.Context(), "1ns", "u")
		require.NoError(t, err, "another guard's record")

		_, err = g.Lookup(t.Context(), "", "u")
		require.ErrorIs(t, err, idem.ErrMissingKey)
		_, err = g.ForgetUser(t.Context(), "")
		require.ErrorIs(t, err, idem.ErrMissingUser)
	})
}

func TestAStoreThatCannotIsSaidToBeUnsupported(t *testing.T) {
	t.Parallel()
	g := newGuard(t, bare{new(memtest.Store)})
	_, err := g.Lookup(t.Context(), "k", "u")
	require.ErrorIs(t, err, idem.ErrUnsupported)
	_, _, err = g.List(t.Context(), idem.Filter{}, idem.Cursor{})
	require.ErrorIs(t, err, idem.ErrUnsupported)
	require.ErrorIs(t, g.Forget(t.Context(), "k", "u"), idem.ErrUnsupported)
	_, err = g.ForgetUser(t.Context(), "u")
	require.ErrorIs(t, err, idem.ErrUnsupported)
	require.ErrorIs(t, g.Release(t.Context(), idem.Ref{}), idem.ErrUnsupported)
	_, err = g.Prune(t.Context())
	require.ErrorIs(t, err, idem.ErrUnsupported)
	findings, err := g.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, findings)
}

func TestCheckPassesTheStoresFindingsOn(t *testing.T) {
	t.Parallel()
	findings, err := newGuard(t, new(memtest.Store)).Check(t.Context())
	require.NoError(t, err)
	require.Len(t, findings, 1)
}

func TestPruneRemovesWhatExpiredAndHoldsWhatWasAbandoned(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		abandon(t, store, true)
		_, err := idem.Do(t.Context(), g, "done", "u", five, new(gateway).charge)
		require.NoError(t, err)
		stats, err := g.Prune(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats.Removed+stats.Held)
		time.Sleep(24 * time.Hour)
		stats, err = g.Prune(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, stats.Removed)
		require.Equal(t, 1, stats.Held)
		require.Equal(t, backend.Unknown, state(t, g, "k"))
		require.Equal(t, stats, seen.seen[len(seen.seen)-1].Pruned)
	}, idem.WithObserver(&seen))
}

// countingPruner counts rounds, and how many of them run at once.
type countingPruner struct {
	*memtest.Store
	mu                  sync.Mutex
	rounds, now, widest int
	fail                error
}

func (p *countingPruner) Prune(context.Context) (backend.PruneStats, error) {
	p.mu.Lock()
	p.rounds++
	p.now++
	p.widest = max(p.widest, p.now)
	p.mu.Unlock()
	time.Sleep(time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
	return backend.PruneStats{}, p.fail
}

func (p *countingPruner) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rounds
}

func TestRunPrunerRunsOnceAProcessAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen events
		store := &countingPruner{Store: new(memtest.Store), fail: errDown}
		end := errors.New("shutdown")
		ctx, stop := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		for _, name := range []string{"one", "two", "three"} {
			g := idem.Must(idem.New(name, store, idem.WithObserver(&seen)))
			wg.Go(func() { require.ErrorIs(t, g.RunPruner(ctx, time.Hour), end) })
		}
		time.Sleep(24 * time.Hour)
		stop(end)
		wg.Wait()
		require.Equal(t, 1, store.widest)
		require.InDelta(t, 26, store.rounds, 4, "hourly, a little jittered, although every round fails")
		require.Contains(t, seen.kinds(), "prune_failed")
	})
}

func TestAnotherGuardGoesOnPruningWhenTheFirstStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingPruner{Store: new(memtest.Store)}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		first, stopFirst := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { _ = newGuard(t, store).RunPruner(first, time.Hour) })
		synctest.Wait()
		wg.Go(func() { _ = newGuard(t, store).RunPruner(ctx, time.Hour) })
		time.Sleep(90 * time.Minute)
		stopFirst()
		before := store.count()
		time.Sleep(10 * time.Hour)
		require.Greater(t, store.count(), before+5)
		stop()
		wg.Wait()
	})
}

func TestRunPrunerWithNothingToPruneWaits(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, newGuard(t, bare{new(memtest.Store)}).RunPruner(ctx, time.Hour), context.Canceled)
	require.Error(t, newGuard(t, new(memtest.Store)).RunPruner(ctx, time.Millisecond))
}
