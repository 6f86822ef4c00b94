package idem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

const cacheBytes = 1 << 20

// asked counts the claims that reached the store since StartLog.
func asked(store *memtest.Store) int {
	n := 0
	for _, call := range store.Calls() {
		if call.Op == memtest.OpBegin {
			n++
		}
	}
	return n
}

func TestARepeatedCallIsAnsweredWithoutTheStore(t *testing.T) {
	t.Parallel()
	seen := &events{}
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.StartLog()
		gw := &gateway{}
		first, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		for i := range 4 {
			time.Sleep(time.Second)
			res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
			require.NoError(t, err)
			require.Equal(t, idem.Result[receipt]{Value: first, Replayed: true, Attempt: 1, Kept: true, Age: time.Duration(i+1) * time.Second}, res)
		}
		require.Equal(t, 1, asked(store))
		last := seen.seen[len(seen.seen)-1]
		require.Equal(t, idem.EventReplayed, last.Kind)
		require.True(t, last.Cached)

		time.Sleep(time.Second) // five are over
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, res.Age)
		require.Equal(t, 2, asked(store))
		require.False(t, seen.seen[len(seen.seen)-1].Cached)

		time.Sleep(time.Second) // a replay is kept too
		res, err = idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, 6*time.Second, res.Age)
		require.Equal(t, 2, asked(store))
		require.Equal(t, 1, gw.count())
	}, idem.CacheAnswers(5*time.Second, cacheBytes), idem.WithObserver(seen))
}

func TestWithoutTheOptionEveryCallAsksTheStore(t *testing.T) {
	t.Parallel()
	store, gw := new(memtest.Store), &gateway{}
	g := newGuard(t, store)
	store.StartLog()
	for range 3 {
		_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
	}
	require.Equal(t, 3, asked(store))
}

func TestAnAnswerIsNotCachedForLongerThanItsRetention(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		gw := &gateway{}
		call := func() (idem.Result[receipt], error) {
			return idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		}
		_, err := call()
		require.NoError(t, err)
		time.Sleep(2*time.Second - time.Nanosecond)
		res, err := call()
		require.NoError(t, err)
		require.True(t, res.Replayed)
		time.Sleep(time.Nanosecond)
		res, err = call()
		require.NoError(t, err)
		require.False(t, res.Replayed)
		require.Equal(t, 2, gw.count())
	}, idem.CacheAnswers(time.Minute, cacheBytes), idem.Retention(2*time.Second))
}

func TestAReplayIsCachedForWhatItsRecordHasLeft(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		gw, cached := &gateway{}, newGuard(t, store, idem.CacheAnswers(time.Minute, cacheBytes))
		call := func(g *idem.Guard) (receipt, error) {
			return idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		}
		_, err := call(g)
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, err = call(cached)
		require.NoError(t, err)
		require.Equal(t, 1, gw.count())
		time.Sleep(time.Second) // the other guard's default would be a day
		_, err = call(cached)
		require.NoError(t, err)
		require.Equal(t, 2, gw.count())
	}, idem.Retention(2*time.Second))
}

func TestAnotherRequestIsNotAnsweredFromTheCache(t *testing.T) {
	t.Parallel()
	store, gw := new(memtest.Store), &gateway{}
	g := newGuard(t, store, idem.CacheAnswers(time.Minute, cacheBytes))
	store.StartLog()
	_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
	require.NoError(t, err)
	for range 2 {
		_, err = idem.Do(t.Context(), g, "k", "u", six, gw.charge)
		require.ErrorIs(t, err, idem.ErrMismatch)
	}
	for _, other := range []struct {
		key  idem.Key
		user idem.User
	}{{"k", "other"}, {"other", "u"}} {
		res, err := idem.DoResult(t.Context(), g, other.key, other.user, five, gw.charge)
		require.NoError(t, err)
		require.False(t, res.Replayed)
	}
	require.Equal(t, 5, asked(store))
}

func TestWhatIsForgottenIsNotInTheCache(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(context.Context, *idem.Guard) error{
		"a key":  func(ctx context.Context, g *idem.Guard) error { return g.Forget(ctx, "k", "u") },
		"a user": func(ctx context.Context, g *idem.Guard) error { _, err := g.ForgetUser(ctx, "u"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gw := &gateway{}
			g := newGuard(t, new(memtest.Store), idem.CacheAnswers(time.Minute, cacheBytes))
			for want := 1; want <= 2; want++ {
				for range 2 {
					_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
					require.NoError(t, err)
				}
				require.Equal(t, want, gw.count())
				require.NoError(t, forget(t.Context(), g))
			}
		})
	}
}

func TestErrorsAndTombstonesAreCachedAsTheyAreStored(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	g := newGuard(t, store, idem.CacheAnswers(time.Minute, cacheBytes), idem.MaxResult(16))
	store.StartLog()
	decline := func(context.Context, charge) (receipt, error) { return receipt{}, idem.Final(errDeclined) }
	long := func(context.Context, charge) (string, error) { return strings.Repeat("x", 17), nil }
	for i := range 3 {
		_, err := idem.Do(t.Context(), g, "declined", "u", five, decline)
		var final *idem.FinalError
		require.ErrorAs(t, err, &final)
		require.Equal(t, errDeclined.Error(), final.Message)
		_, err = idem.Do(t.Context(), g, "long", "u", five, long)
		if i > 0 {
			require.ErrorIs(t, err, idem.ErrAnswerNotKept)
		}
	}
	require.Equal(t, 2, asked(store))
}

func TestNothingButAStoredAnswerIsCached(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]struct {
		fault *memtest.Fault
		fn    func(context.Context, charge) (receipt, error)
		opts  []idem.GuardOption
		again error // of the second call
	}{
		"a released error": {fn: func(context.Context, charge) (receipt, error) { return receipt{}, errDeclined }, again: errDeclined},
		"an unknown outcome": {
			fn:    func(context.Context, charge) (receipt, error) { return receipt{}, idem.Uncertain(errDeclined) },
			again: idem.ErrUnknownOutcome,
		},
		"what could not be stored": {
			fault: &memtest.Fault{Op: memtest.OpComplete, Count: -1, Err: backend.ErrCorrupt},
			fn:    (&gateway{}).charge, again: idem.ErrInFlight,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
				store.StartLog()
				if outcome.fault != nil {
					store.Inject(*outcome.fault)
				}
				_, err := idem.Do(t.Context(), g, "k", "u", five, outcome.fn)
				require.Error(t, err)
				_, err = idem.Do(t.Context(), g, "k", "u", five, outcome.fn)
				require.ErrorIs(t, err, outcome.again)
				require.Equal(t, 2, asked(store))
			}, append(outcome.opts, idem.CacheAnswers(time.Minute, cacheBytes))...)
		})
	}
}

func TestATransactionsReplayIsCached(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	g := newGuard(t, store, idem.Tx, idem.CacheAnswers(time.Minute, cacheBytes))
	runs := 0
	pay := func(context.Context, *memtest.Tx, charge) (receipt, error) { runs++; return receipt{ID: "p"}, nil }
	for range 4 {
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, pay)
		require.NoError(t, err)
	}
	store.StartLog()
	_, err := idem.DoTx(t.Context(), g, "k", "u", five, pay)
	require.NoError(t, err)
	require.Empty(t, store.Calls())
	require.Equal(t, 1, runs)
}

// reticent does not say how long an answer still replays.
type reticent struct{ backend.Store }

func (s reticent) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	g, err := s.Store.Begin(ctx, c)
	g.RetentionLeft = 0
	return g, err
}

func TestAStoreThatDoesNotSayHowLongAnAnswerLastsIsAskedEachTime(t *testing.T) {
	t.Parallel()
	store, gw := new(memtest.Store), &gateway{}
	_, err := idem.Do(t.Context(), newGuard(t, store), "k", "u", five, gw.charge)
	require.NoError(t, err)
	g := newGuard(t, reticent{store}, idem.CacheAnswers(time.Minute, cacheBytes))
	store.StartLog()
	for range 3 {
		_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
	}
	require.Equal(t, 3, asked(store))
}

func TestTheOldestAnswersMakeRoom(t *testing.T) {
	t.Parallel()
	const answers, bytes = 2000, 64 << 10
	store := new(memtest.Store)
	g := newGuard(t, store, idem.CacheAnswers(time.Minute, bytes))
	fn := func(context.Context, int) (string, error) { return strings.Repeat("x", 200), nil }
	key := func(i int) idem.Key { return idem.Key(fmt.Sprint("k", i)) }
	for i := range answers {
		_, err := idem.Do(t.Context(), g, key(i), "u", i, fn)
		require.NoError(t, err)
	}
	store.StartLog()
	for i := answers - 1; i >= 0; i-- { // the youngest first, since a replay is kept too
		_, err := idem.Do(t.Context(), g, key(i), "u", i, fn)
		require.NoError(t, err)
	}
	kept := answers - asked(store)
	require.Positive(t, kept)
	require.LessOrEqual(t, kept, bytes/200)
}

func TestAnAnswerThatIsLargerThanTheCacheIsNotKept(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	g := newGuard(t, store, idem.CacheAnswers(time.Minute, 64<<10))
	fn := func(context.Context, int) (string, error) { return strings.Repeat("x", 64<<10), nil }
	store.StartLog()
	for range 2 {
		_, err := idem.Do(t.Context(), g, "k", "u", 1, fn)
		require.NoError(t, err)
	}
	require.Equal(t, 2, asked(store))
}

func TestCallersOfOneCacheMayOverlap(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	g := newGuard(t, store, idem.CacheAnswers(time.Minute, 64<<10))
	echo := func(_ context.Context, i int) (string, error) { return fmt.Sprint(i, strings.Repeat("x", 300)), nil }
	var group sync.WaitGroup
	for c := range 8 {
		group.Go(func() {
			for i := range 400 {
				n := (i*7 + c) % 90
				got, err := idem.Do(context.Background(), g, idem.Key(fmt.Sprint("k", n)), "u", n, echo)
				if errors.Is(err, idem.ErrInFlight) || errors.Is(err, idem.ErrLeaseLost) { // forgotten while it ran
					continue
				}
				want, _ := echo(context.Background(), n)
				if err != nil || got != want {
					t.Errorf("call %d: %q, %v", n, got, err)
					return
				}
				if i%50 == 0 {
					_, _ = g.ForgetUser(context.Background(), "u")
				}
			}
		})
	}
	group.Wait()
}

func TestABubbleMayFollowAnother(t *testing.T) {
	t.Parallel()
	gw := &gateway{}
	g := newGuard(t, new(memtest.Store), idem.CacheAnswers(time.Minute, cacheBytes))
	for range 2 { // nothing in the cache belongs to the bubble in which it was put there
		synctest.Test(t, func(t *testing.T) {
			_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
			require.NoError(t, err)
		})
	}
	require.Equal(t, 1, gw.count())
}
