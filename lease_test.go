package idem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

var errDown = errors.New("store down")

// calls counts the logged calls of one operation.
func calls(store *memtest.Store, op memtest.Op) int {
	n := 0
	for _, c := range store.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

func TestALongRunIsRenewedAtAThirdOfItsLease(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.StartLog()
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			for range 119 {
				time.Sleep(time.Second)
				_, err := idem.Do(context.Background(), g, "k", "u", five, new(gateway).charge)
				require.ErrorIs(t, err, idem.ErrInFlight)
				require.NoError(t, ctx.Err())
			}
			return receipt{}, nil
		})
		require.NoError(t, err)
		require.Equal(t, 11, calls(store, memtest.OpRenew), "119 s under a lease of 30 s, renewed every 10 s")
	})
}

func TestRenewalSurvivesAStoreThatIsAwayForLessThanTheLease(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		down := store.Inject(memtest.Fault{Op: memtest.OpRenew, Count: -1, Err: errDown})
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			time.Sleep(25 * time.Second)
			require.NoError(t, ctx.Err())
			down.Remove()
			time.Sleep(time.Minute)
			require.NoError(t, ctx.Err())
			return receipt{}, nil
		})
		require.NoError(t, err)
		require.Contains(t, seen.kinds(), "renew_failed")
		require.Positive(t, down.Fired())
	}, idem.WithObserver(&seen))
}

func TestFnIsCancelledWhenItsLeaseCouldNotBeRenewed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]memtest.Fault{
		"the store fails":        {Op: memtest.OpRenew, Count: -1, Err: errDown},
		"the store answers late": {Op: memtest.OpRenew, Count: -1, Mode: memtest.Delay, Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
				store.Inject(fault)
				began := time.Now()
				_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
					<-ctx.Done()
					require.Equal(t, 30*time.Second, time.Since(began))
					require.ErrorIs(t, context.Cause(ctx), idem.ErrLeaseLost)
					return receipt{}, ctx.Err()
				})
				require.ErrorIs(t, err, idem.ErrLeaseLost)
				require.ErrorIs(t, err, context.Canceled)
			})
		})
	}
}

// The store may have renewed when the message arrived, long before its answer did.
func TestTheLeaseIsBelievedFromWhenTheRenewalWasSent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Mode: memtest.Delay, Delay: 5 * time.Second})
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Nth: 2, Count: -1, Err: errDown})
		began := time.Now()
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			<-ctx.Done()
			require.Equal(t, 40*time.Second, time.Since(began), "a lease of 30 s, renewed after 10")
			return receipt{}, ctx.Err()
		})
		require.ErrorIs(t, err, idem.ErrLeaseLost)
	})
}

func TestAStoreThatIgnoresItsContextCannotKeepFnRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &deafStore{Store: new(memtest.Store), release: make(chan struct{})}
		g := newGuard(t, store)
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), idem.ErrLeaseLost)
			close(store.release)
			return receipt{}, idem.Final(errDeclined)
		})
		require.EqualError(t, err, "declined")
	})
}

// deafStore renews when it is told to, whatever its context says.
type deafStore struct {
	backend.Store
	release chan struct{}
}

func (s *deafStore) Renew(context.Context, backend.ID, backend.Token, backend.Renewal) (backend.Grant, error) {
	<-s.release
	return backend.Grant{}, errDown
}

func TestAnAbandonedAttemptIsTakenOver(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		abandon(t, store, false)
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, idem.ErrInFlight, "the lease is not over")
		time.Sleep(30 * time.Second)
		_, err = idem.Do(t.Context(), g, "k", "u", six, gw.charge)
		require.ErrorIs(t, err, idem.ErrMismatch, "a takeover compares the fingerprint")
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, func(ctx context.Context, c charge) (receipt, error) {
			attempt, ok := idem.AttemptFrom(ctx)
			require.True(t, ok)
			require.Equal(t, idem.Attempt{Number: 2, Takeover: true, Key: "k"}, attempt)
			return gw.charge(ctx, c)
		})
		require.NoError(t, err)
		require.Equal(t, 2, res.Attempt)
		require.Contains(t, seen.kinds(), "taken_over")
	}, idem.WithObserver(&seen))
}

// abandon leaves a claim on ("k", "u") for five, as a process that was killed does.
func abandon(t *testing.T, store backend.Store, hold bool) backend.Token {
	t.Helper()
	token := backend.NewToken()
	grant, err := store.Begin(t.Context(), backend.Claim{
		ID: backend.NewID("test", "u", "k"), Token: token, Fingerprint: fingerprintOf(t, five),
		Lease: 30 * time.Second, Retention: 24 * time.Hour, Hold: hold, Guard: "test", User: "u", Key: "k",
	})
	require.NoError(t, err)
	require.Equal(t, backend.Claimed, grant.Verdict)
	return token
}

// fingerprintOf returns the fingerprint that Do gives a request.
func fingerprintOf(t *testing.T, req charge) idem.Fingerprint {
	t.Helper()
	spy := &spyStore{Store: new(memtest.Store)}
	_, err := idem.Do(t.Context(), newGuard(t, spy), "k", "u", req, new(gateway).charge)
	require.NoError(t, err)
	return spy.claim.Fingerprint
}

type spyStore struct {
	backend.Store
	claim backend.Claim
}

func (s *spyStore) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	s.claim = c
	return s.Store.Begin(ctx, c)
}

func TestAnAbandonedAttemptOfAHoldGuardBecomesUnknown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		abandon(t, store, true)
		time.Sleep(30 * time.Second)
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, idem.ErrUnknownOutcome)
		time.Sleep(365 * 24 * time.Hour)
		_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, idem.ErrUnknownOutcome, "unknown records never expire")
		require.Zero(t, gw.count())
	}, idem.Hold)
}

func TestALateAnswerCountsIfNobodyTookOver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Count: -1, Err: errDown})
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, c charge) (receipt, error) {
			time.Sleep(time.Hour)
			return gw.charge(ctx, c)
		})
		require.NoError(t, err)
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.True(t, res.Replayed)
	})
}

func TestAStaleOwnerIsToldTheStoredAnswerNeverItsOwn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Count: -1, Err: errDown})
		stale, err := idem.DoResult(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			<-ctx.Done()
			second, err := idem.Do(context.Background(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
				return receipt{"second", 500}, nil
			})
			require.NoError(t, err)
			require.Equal(t, "second", second.ID)
			return receipt{"first", 500}, nil
		})
		require.NoError(t, err)
		require.Equal(t, receipt{"second", 500}, stale.Value)
		require.True(t, stale.Replayed)
		require.Equal(t, 2, stale.Attempt)
	})
}

func TestAStaleOwnerWhoseSuccessorFailedHasLost(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Count: -1, Err: errDown})
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, c charge) (receipt, error) {
			<-ctx.Done()
			_, err := idem.Do(context.Background(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
				return receipt{}, errDeclined
			})
			require.ErrorIs(t, err, errDeclined)
			_, err = idem.Do(context.Background(), g, "k", "u", six, gw.charge)
			require.NoError(t, err, "the key is free for another request now")
			return gw.charge(ctx, c)
		})
		require.ErrorIs(t, err, idem.ErrLeaseLost, "never the answer to another request")
	})
}

func TestAStaleOwnerFreesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Count: -1, Err: errDown})
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			<-ctx.Done()
			abandon(t, store, false) // the successor, still running
			return receipt{}, errDeclined
		})
		require.ErrorIs(t, err, errDeclined)
		require.Equal(t, backend.Pending, state(t, g, "k"))
	})
}

func TestMaxRunEndsFnsContext(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.StartLog()
		began := time.Now()
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			<-ctx.Done()
			require.Equal(t, time.Minute, time.Since(began))
			require.ErrorIs(t, context.Cause(ctx), idem.ErrMaxRun)
			renewals := calls(store, memtest.OpRenew)
			time.Sleep(31 * time.Second)
			require.Equal(t, renewals, calls(store, memtest.OpRenew), "renewals have stopped")
			var gw gateway
			_, err := idem.Do(context.Background(), g, "k", "u", five, gw.charge)
			require.NoError(t, err, "another attempt may start once the lease is over")
			return receipt{}, ctx.Err()
		}, idem.MaxRun(time.Minute))
		require.ErrorIs(t, err, idem.ErrMaxRun)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, backend.Done, state(t, g, "k"), "the stale release freed nothing")
	})
}

func TestRetentionCountsFromCompletion(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, c charge) (receipt, error) {
			time.Sleep(time.Minute)
			return gw.charge(ctx, c)
		})
		require.NoError(t, err)
		time.Sleep(24*time.Hour - time.Millisecond)
		_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, 1, gw.count())
		time.Sleep(time.Millisecond)
		res, err := idem.DoResult(t.Context(), g, "k", "u", six, gw.charge)
		require.NoError(t, err, "after its retention a key may carry another request")
		require.Equal(t, 1, res.Attempt)
		require.Equal(t, 2, gw.count())
	})
}

func TestANoteSurvivesACrash(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			require.NoError(t, idem.Note(ctx, "stripe pi_123"))
			rec, err := g.Lookup(context.Background(), "k", "u")
			require.NoError(t, err)
			require.Equal(t, "stripe pi_123", rec.Note)
			require.NoError(t, idem.Note(ctx, "stripe pi_124"))
			return receipt{}, errDeclined
		})
		require.ErrorIs(t, err, errDeclined)
		rec, err := g.Lookup(t.Context(), "k", "u")
		require.NoError(t, err)
		require.Equal(t, "stripe pi_124", rec.Note)
		require.Equal(t, backend.Unknown, rec.State)
	}, idem.Hold)
}

func TestANoteOfAnAttemptThatWasTakenOverIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		_, _ = idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			store.Advance(31 * time.Second)
			abandon(t, store, false)
			require.ErrorIs(t, idem.Note(ctx, "mine"), idem.ErrLeaseLost)
			return receipt{}, errDeclined
		})
		require.Error(t, idem.Note(t.Context(), "x"), "not fn's context")
	})
}

func TestChildKeysFollowTheRequest(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	child := func(key idem.Key, req charge, label string) (child idem.Key) {
		_, err := idem.Do(t.Context(), g, key, "u", req, func(ctx context.Context, _ charge) (receipt, error) {
			var err error
			child, err = idem.ChildKey(ctx, label)
			require.NoError(t, err)
			return receipt{}, errDeclined
		})
		require.ErrorIs(t, err, errDeclined)
		return child
	}
	first := child("k", five, "stripe")
	require.Len(t, string(first), 52)
	require.Equal(t, first, child("k", five, "stripe"), "the same on every attempt of one request")
	require.NotEqual(t, first, child("k", six, "stripe"), "another request under the key")
	require.NotEqual(t, first, child("k", five, "adyen"))
	require.NotEqual(t, first, child("k2", five, "stripe"))
	_, err := idem.ChildKey(t.Context(), "stripe")
	require.Error(t, err, "not fn's context")
}

func TestFnIsCancelledAtTheNextRenewalAfterItsClaimIsGone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		began := time.Now()
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			require.NoError(t, g.Forget(context.Background(), "k", "u"))
			<-ctx.Done()
			require.Equal(t, 10*time.Second, time.Since(began))
			require.ErrorIs(t, context.Cause(ctx), idem.ErrLeaseLost)
			return receipt{"mine", 500}, nil
		})
		require.ErrorIs(t, err, idem.ErrLeaseLost)
	})
}
