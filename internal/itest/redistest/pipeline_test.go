package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

func TestStoreKeepsTheContractWithPipelining(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(t *testing.T) backendtest.Harness {
		t.Parallel()
		return newStorage(t, named(t)).harness(redisbackend.Pipelining())
	})
}

// crowded has so many callers do f at the same time, each some rounds.
func crowded(t *testing.T, callers, rounds int, f func(caller, round int) error) {
	t.Helper()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	errs := make(chan error, callers)
	for caller := range callers {
		wg.Go(func() {
			<-begin
			for round := range rounds {
				if err := f(caller, round); err != nil {
					errs <- fmt.Errorf("caller %d, round %d: %w", caller, round, err)
					return
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// runs makes a first run and a replay, whose answer is the caller's own.
func runs(ctx context.Context, s backend.Store, c backend.Claim) error {
	g, err := s.Begin(ctx, c)
	if err != nil || g.Verdict != backend.Claimed {
		return fmt.Errorf("claim: %v, %w", g.Verdict, err)
	}
	g, err = s.Complete(ctx, c.ID, c.Token, completion(c, c.Key))
	if err != nil || g.Verdict != backend.Kept {
		return fmt.Errorf("complete: %v, %w", g.Verdict, err)
	}
	g, err = s.Begin(ctx, again(c))
	if err != nil || g.Verdict != backend.Replay || string(g.Answer) != c.Key {
		return fmt.Errorf("replay: %v, %q, %w", g.Verdict, g.Answer, err)
	}
	return nil
}

func TestCallsOfTheSameMomentShareRoundTrips(t *testing.T) {
	t.Parallel()
	const callers, rounds = 32, 20
	for name, c := range map[string]struct {
		opts []redisbackend.Option
		less bool
	}{
		"with pipelining":    {[]redisbackend.Option{redisbackend.Pipelining()}, true},
		"without pipelining": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			store := s.open(t, c.opts...)
			s.wire.trips.Store(0)
			crowded(t, callers, rounds, func(caller, round int) error {
				return runs(t.Context(), store, claimOf(fmt.Sprintf("%d of %d", round, caller)))
			})
			took := s.wire.trips.Load()
			if c.less {
				require.Less(t, took, int64(3*callers*rounds/2))
			} else {
				require.GreaterOrEqual(t, took, int64(3*callers*rounds))
			}
		})
	}
}

// Of callers that ask for one record in one pipeline, one wins.
func TestOneOfManyInAPipelineWins(t *testing.T) {
	t.Parallel()
	const callers, rounds = 48, 20
	s := newStorage(t, named(t))
	store := s.open(t, redisbackend.Pipelining())
	var won [rounds]atomic.Int64
	crowded(t, callers, rounds, func(_, round int) error {
		c := claimOf(fmt.Sprint(round))
		g, err := store.Begin(t.Context(), c)
		switch {
		case err != nil:
			return err
		case g.Verdict == backend.Claimed:
			won[round].Add(1)
		case g.Verdict != backend.InFlight:
			return fmt.Errorf("verdict %v", g.Verdict)
		}
		return nil
	})
	for round := range won {
		require.EqualValues(t, 1, won[round].Load())
	}
}

// What befalls one call, one server or one connection costs no other call its answer.
func TestFaultsAmongPipelinedCallsStayWithTheirOwners(t *testing.T) {
	t.Parallel()
	const callers, rounds = 32, 20
	s := startServer(t).storage()
	// What is cut is for the store to send again.
	store := s.openOn(t, s.client(t, func(o *redis.Options) { o.MaxRetries = -1 }), redisbackend.Pipelining())
	poisoned := claimOf("poisoned")
	require.NoError(t, s.own.Set(t.Context(), s.key(poisoned.ID), "a string", 0).Err())
	var cuts, late atomic.Int64
	cut := func(_ *wiredConn, b []byte) bool {
		return bytes.Count(b, []byte("evalsha")) > 1 && cuts.Add(1)%7 == 0
	}
	s.wire.hit.Store(&cut)
	crowded(t, callers, rounds, func(caller, round int) error {
		switch caller {
		case 0:
			if _, err := store.Begin(t.Context(), again(poisoned)); !errors.Is(err, backend.ErrCorrupt) {
				return fmt.Errorf("poisoned: %w", err)
			}
		case 1:
			return s.own.ScriptFlush(t.Context()).Err()
		case 2:
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round)*20*time.Microsecond)
			defer cancel()
			if err := runs(ctx, store, claimOf(fmt.Sprintf("late %d", round))); err != nil {
				late.Add(1)
			}
		default:
			return runs(t.Context(), store, claimOf(fmt.Sprintf("%d of %d", round, caller)))
		}
		return nil
	})
	require.Greater(t, cuts.Load(), int64(7), "pipelines were cut")
	require.NotZero(t, late.Load())
}
