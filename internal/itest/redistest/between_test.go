package redistest

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// between does something before the second script that its client calls from now on, or before its first pipeline.
type between struct {
	calls     atomic.Int64
	meanwhile atomic.Pointer[func()]
}

func (b *between) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" && b.calls.Add(1) == 2 {
			if f := b.meanwhile.Swap(nil); f != nil {
				(*f)()
			}
		}
		return next(ctx, cmd)
	}
}

func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if f := b.meanwhile.Swap(nil); f != nil {
			(*f)()
		}
		return next(ctx, cmds)
	}
}

func TestARecordThatGoesWhileItIsPrunedIsNoError(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	c := holding(claimOf("key"))
	begins(t, s.open(t), c, backend.Claimed)
	store := s.openBetween(t, func() { require.NoError(t, s.own.Del(t.Context(), s.key(c.ID)).Err()) })
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, stats.Scanned)
	require.Zero(t, stats.Held)
}

// What an operator's script finds may not be what was looked at a moment before: it must decide by itself.
func TestAnOperatorsScriptsDecideByThemselves(t *testing.T) {
	t.Parallel()
	resolve := func(t *testing.T, s *redisbackend.Store, ref backend.Ref, answer string) backend.Verdict {
		g, err := s.Resolve(t.Context(), ref, backend.Completion{Answer: []byte(answer), Retention: time.Hour})
		require.NoError(t, err)
		return g.Verdict
	}
	free := func(t *testing.T, s *redisbackend.Store, ref backend.Ref) backend.Verdict {
		g, err := s.Free(t.Context(), ref)
		require.NoError(t, err)
		return g.Verdict
	}
	acts := map[string]func(*testing.T, *redisbackend.Store, backend.Ref) backend.Verdict{
		"Resolve": func(t *testing.T, s *redisbackend.Store, ref backend.Ref) backend.Verdict {
			return resolve(t, s, ref, "late")
		},
		"Free": free,
	}
	for name, act := range acts {
		t.Run(name+" of what another operator has resolved", func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			other, held := s.open(t), s.held(t)
			store := s.openBetween(t, func() { require.Equal(t, backend.Kept, resolve(t, other, refOf(held), "first")) })
			require.Equal(t, backend.Lost, act(t, store, refOf(held)))
			require.Equal(t, "first", string(begins(t, other, again(held), backend.Replay).Answer))
		})
		t.Run(name+" of what another operator has freed and another attempt held", func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			other, held := s.open(t), s.held(t)
			next := again(held)
			store := s.openBetween(t, func() {
				require.Equal(t, backend.Kept, free(t, other, refOf(held)))
				begins(t, other, next, backend.Claimed)
				_, err := other.Hold(t.Context(), next.ID, next.Token, "")
				require.NoError(t, err)
			})
			require.Equal(t, backend.Lost, act(t, store, refOf(held)))
			begins(t, other, again(held), backend.Held)
		})
	}
}

// openBetween returns a store that looks, and then something happens before it writes.
func (s *storage) openBetween(t *testing.T, meanwhile func()) *redisbackend.Store {
	t.Helper()
	hook := &between{}
	client := s.client(t)
	client.AddHook(hook)
	store := s.openOn(t, client)
	hook.calls.Store(0)
	hook.meanwhile.Store(&meanwhile)
	t.Cleanup(func() { require.Nil(t, hook.meanwhile.Load(), "nothing was written") })
	return store
}

// held claims a record and gives it up.
func (s *storage) held(t *testing.T) backend.Claim {
	t.Helper()
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	_, err := store.Hold(t.Context(), c.ID, c.Token, "")
	require.NoError(t, err)
	return c
}

func refOf(c backend.Claim) backend.Ref { return backend.NewRef(c.ID, c.Token) }
