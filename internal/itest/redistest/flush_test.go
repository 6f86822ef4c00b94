package redistest

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
)

// flusher has the server forget its scripts before every command of a client that calls one by its name.
type flusher struct {
	beside  *redis.Client
	flushed *atomic.Int64
}

func (f flusher) before(ctx context.Context, cmds ...redis.Cmder) error {
	for _, cmd := range cmds {
		if cmd.Name() == "evalsha" {
			f.flushed.Add(1)
			return f.beside.ScriptFlush(ctx).Err()
		}
	}
	return nil
}

func (f flusher) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (f flusher) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := f.before(ctx, cmd); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (f flusher) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := f.before(ctx, cmds...); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

func TestScriptsThatAreFlushedBeforeEveryCallAreSentAgain(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	var flushed atomic.Int64
	t.Run("the suite", func(t *testing.T) {
		backendtest.Run(t, func(t *testing.T) backendtest.Harness {
			t.Parallel()
			s := newStorage(t, on.options())
			h := s.harness()
			h.Rounds = 5
			h.Open = func(tb backendtest.TB) backend.Store {
				client := s.client(tb)
				client.AddHook(flusher{beside: s.own, flushed: &flushed})
				return s.openOn(tb, client)
			}
			return h
		})
	})
	require.Greater(t, flushed.Load(), int64(1000))
}
