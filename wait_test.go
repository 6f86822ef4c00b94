package idem_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// bare hides a store's optional interfaces, so that waiting has to poll.
type bare struct{ backend.Store }

// slowly is an fn that takes d and then answers as the gateway does.
func slowly(gw *gateway, d time.Duration) func(context.Context, charge) (receipt, error) {
	return func(ctx context.Context, c charge) (receipt, error) {
		time.Sleep(d)
		return gw.charge(ctx, c)
	}
}

func TestWaitersGetTheAnswerOfTheFirstAttempt(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*memtest.Store) backend.Store{
		"the store notifies":  func(s *memtest.Store) backend.Store { return s },
		"the store is polled": func(s *memtest.Store) backend.Store { return bare{s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := new(memtest.Store)
				// Two guards stand for two processes: only the store connects them.
				here, there := newGuard(t, wrap(store)), newGuard(t, wrap(store))
				var gw gateway
				var wg sync.WaitGroup
				wg.Go(func() {
					_, err := idem.Do(t.Context(), here, "k", "u", five, slowly(&gw, 10*time.Second))
					require.NoError(t, err)
				})
				synctest.Wait()
				began := time.Now()
				for _, g := range []*idem.Guard{here, there, here, there} {
					wg.Go(func() {
						res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
						require.NoError(t, err)
						require.True(t, res.Replayed)
						require.InDelta(t, 10*time.Second, time.Since(began), float64(300*time.Millisecond))
					})
				}
				wg.Wait()
				require.Equal(t, 1, gw.count())
			})
		})
	}
}

func TestWaitersInOneProcessShareOneWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(memtest.Store)
		owner, g := newGuard(t, bare{store}), newGuard(t, bare{store})
		var gw gateway
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = idem.Do(t.Context(), owner, "k", "u", five, slowly(&gw, 5*time.Second)) })
		synctest.Wait()
		store.StartLog()
		for range 1000 {
			wg.Go(func() {
				res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
				require.NoError(t, err)
				require.True(t, res.Replayed)
			})
		}
		wg.Wait()
		polls := calls(store, memtest.OpBegin) - 1000 // each caller asks once before it waits
		require.Less(t, polls, 60, "5 s of polling by one of them, not by a thousand")
		require.Equal(t, 1, gw.count())
	})
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var gw gateway
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = idem.Do(t.Context(), g, "k", "u", five, slowly(&gw, time.Minute)) })
		synctest.Wait()
		for range 2 { // the one that leads, and one that follows
			wg.Go(func() {
				began := time.Now()
				_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(3*time.Second))
				var inFlight *idem.InFlightError
				require.ErrorAs(t, err, &inFlight)
				require.Equal(t, 3*time.Second, inFlight.RetryAfter, "as long as the owner has run by now")
				require.Equal(t, 3*time.Second, time.Since(began))
			})
		}
		wg.Wait()
		require.Equal(t, backend.Done, state(t, g, "k"), "who gave up took nothing from the owner")
		require.Equal(t, 1, gw.count())
	})
}

func TestAWaiterThatLeavesHandsOver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var gw gateway
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = idem.Do(t.Context(), g, "k", "u", five, slowly(&gw, 10*time.Second)) })
		synctest.Wait()
		cause := errors.New("left")
		ctx, leave := context.WithCancelCause(t.Context())
		wg.Go(func() {
			_, err := idem.Do(ctx, g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
			require.ErrorIs(t, err, cause)
		})
		synctest.Wait()
		wg.Go(func() {
			res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
			require.NoError(t, err)
			require.True(t, res.Replayed)
		})
		synctest.Wait()
		leave(cause)
		wg.Wait()
		require.Equal(t, 1, gw.count())
	})
}

func TestWhenTheOwnerFailsExactlyOneWaiterRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var runs, replayed atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
				time.Sleep(time.Second)
				return receipt{}, errDeclined
			})
			require.ErrorIs(t, err, errDeclined)
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() {
				res, err := idem.DoResult(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
					runs.Add(1)
					time.Sleep(time.Minute) // longer than Wait: it bounds the waiting, not the run
					return receipt{}, nil
				}, idem.Wait(90*time.Second))
				require.NoError(t, err)
				if res.Replayed {
					replayed.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, runs.Load())
		require.EqualValues(t, 19, replayed.Load())
	})
}

func TestAWaiterTakesOverFromADeadOwner(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		abandon(t, store, false)
		began := time.Now()
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, new(gateway).charge, idem.Wait(time.Minute))
		require.NoError(t, err)
		require.Equal(t, 2, res.Attempt)
		require.InDelta(t, 30*time.Second, time.Since(began), float64(100*time.Millisecond))
	})
}

func TestWaitingEndsWhenTheOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		var gw gateway
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
				time.Sleep(time.Second)
				return receipt{}, idem.Uncertain(errDeclined)
			})
		})
		synctest.Wait()
		for range 3 {
			wg.Go(func() {
				_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
				require.ErrorIs(t, err, idem.ErrUnknownOutcome)
			})
		}
		wg.Wait()
		require.Zero(t, gw.count())
	})
}

func TestTenThousandWaitersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) { // the bubble fails if a goroutine stays
		var gw gateway
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = idem.Do(t.Context(), g, "k", "u", five, slowly(&gw, time.Second)) })
		synctest.Wait()
		for range 10_000 {
			wg.Go(func() {
				_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, 1, gw.count())
	})
}

// telling is a store that tells of changes as watch does. It counts what it was asked.
type telling struct {
	*memtest.Store
	watch   func(n int) (<-chan struct{}, error) // n counts from 1
	watches atomic.Int64
	stops   atomic.Int64
}

func (s *telling) Watch(context.Context, backend.ID) (<-chan struct{}, func(), error) {
	changed, err := s.watch(int(s.watches.Add(1)))
	if err != nil {
		return nil, nil, err
	}
	return changed, sync.OnceFunc(func() { s.stops.Add(1) }), nil
}

// waits has a call of another process wait for one that takes 10 s, and returns how long it waited and how often it
// asked.
func waits(t *testing.T, store *telling) (waited time.Duration, asked int) {
	t.Helper()
	owner, g := newGuard(t, store.Store), newGuard(t, store)
	var gw gateway
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = idem.Do(t.Context(), owner, "k", "u", five, slowly(&gw, 10*time.Second)) })
	synctest.Wait()
	store.StartLog()
	began := time.Now()
	res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge, idem.Wait(time.Minute))
	require.NoError(t, err)
	require.True(t, res.Replayed)
	wg.Wait()
	require.Equal(t, 1, gw.count())
	require.LessOrEqual(t, store.stops.Load(), store.watches.Load())
	return time.Since(began), calls(store.Store, memtest.OpBegin)
}

func TestPollsAreRareWhileAWatchLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &telling{Store: new(memtest.Store), watch: func(int) (<-chan struct{}, error) { return make(chan struct{}), nil }}
		waited, asked := waits(t, store)
		require.InDelta(t, 10*time.Second, waited, float64(2500*time.Millisecond))
		require.Less(t, asked, 15, "every 1 to 2 s")
		require.EqualValues(t, asked-1, store.watches.Load(), "before each time that it asks, the record may be another one by then")
		require.Equal(t, store.watches.Load(), store.stops.Load())
	})
}

func TestPollsAreFrequentWhereTheStoreTellsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		watches func(asked int) int
	}{
		"of this record": {fmt.Errorf("it is in a transaction: %w", backend.ErrUnsupported), func(int) int { return 1 }},
		"now":            {errors.New("not connected"), func(asked int) int { return asked - 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &telling{Store: new(memtest.Store), watch: func(int) (<-chan struct{}, error) { return nil, c.err }}
				waited, asked := waits(t, store)
				require.InDelta(t, 10*time.Second, waited, float64(300*time.Millisecond))
				require.Greater(t, asked, 30, "every 250 ms")
				require.EqualValues(t, c.watches(asked), store.watches.Load())
			})
		})
	}
}

func TestAWatchOfATransactionIsTriedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &telling{Store: new(memtest.Store), watch: func(int) (<-chan struct{}, error) { return nil, errors.New("not seen") }}
		do := func(g *idem.Guard, d time.Duration) (idem.Result[receipt], error) {
			return idem.DoTxResult(t.Context(), g, "k", "u", five, func(context.Context, *memtest.Tx, charge) (receipt, error) {
				time.Sleep(d)
				return receipt{}, nil
			}, idem.Wait(time.Minute))
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = do(newGuard(t, store.Store, idem.Tx), 10*time.Second) })
		synctest.Wait()
		began := time.Now()
		res, err := do(newGuard(t, store, idem.Tx), 0)
		require.NoError(t, err)
		require.True(t, res.Replayed)
		require.InDelta(t, 10*time.Second, time.Since(began), float64(300*time.Millisecond), "it polls often")
		require.EqualValues(t, 1, store.watches.Load())
		wg.Wait()
	})
}

func TestAWatchThatEndsIsBegunAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended, changed := make(chan struct{}), make(chan struct{})
		close(ended)
		store := &telling{Store: new(memtest.Store), watch: func(n int) (<-chan struct{}, error) {
			switch n {
			case 1:
				return ended, nil // its connection was cut
			case 2, 3:
				return nil, errors.New("not connected")
			}
			return changed, nil
		}}
		time.AfterFunc(10*time.Second+10*time.Millisecond, func() { close(changed) })
		waited, asked := waits(t, store)
		require.InDelta(t, 10*time.Second, waited, float64(100*time.Millisecond), "it was woken")
		require.Less(t, asked, 17, "once at once, twice at the polling pace, then every 1 to 2 s")
	})
}

// TestAnOwnerInThisProcessWakesWhoWaits: also where the store tells of no changes.
func TestAnOwnerInThisProcessWakesWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, bare{new(memtest.Store)})
		var group sync.WaitGroup
		var done [2]time.Time
		for i := range done {
			group.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond)
				_, err := idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (int, error) {
					<-time.After(10*time.Second + time.Microsecond)
					return 1, nil
				}, idem.Wait(time.Minute))
				require.NoError(t, err)
				done[i] = time.Now()
			})
		}
		group.Wait()
		require.Equal(t, done[0], done[1], "the waiter must not have slept until its next poll")
	})
}
