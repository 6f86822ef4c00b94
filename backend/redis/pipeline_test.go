package redisbackend

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// line is a server at the other end of a pipeline's client, of which a test says when and what it answers. Each
// command is answered what it asks for, its last argument.
type line struct {
	redis.Hook
	mu      sync.Mutex
	sent    [][]any              // the last arguments of what was sent together
	holds   chan struct{}        // what is sent waits for an element; nil for nothing
	fails   func(n int) error    // of a sending of so many commands
	refuses func(asks any) error // of a command
}

func (l *line) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return l.answer(ctx, []redis.Cmder{cmd}) }
}

func (l *line) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return l.answer
}

func (l *line) DialHook(next redis.DialHook) redis.DialHook { return next }

func asks(cmd redis.Cmder) any { return cmd.Args()[len(cmd.Args())-1] }

func (l *line) answer(ctx context.Context, cmds []redis.Cmder) error {
	var all []any
	for _, cmd := range cmds {
		all = append(all, asks(cmd))
	}
	l.mu.Lock()
	l.sent = append(l.sent, all)
	l.mu.Unlock()
	if l.holds != nil {
		<-l.holds
	}
	if l.fails != nil {
		if err := l.fails(len(cmds)); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
	}
	for _, cmd := range cmds {
		cmd.(*redis.Cmd).SetVal(asks(cmd))
		if l.refuses != nil {
			cmd.SetErr(l.refuses(asks(cmd)))
		}
	}
	return cmds[0].Err()
}

// all is what was sent together.
func (l *line) all() [][]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// crowd are callers of one pipeline.
type crowd struct {
	t    *testing.T
	line *line
	pipeline
	outcomes map[int64]chan error
}

// inCrowd runs a test whose line holds everything until it is told to go on.
func inCrowd(t *testing.T, test func(c *crowd)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client := client()
		defer client.Close()
		c := &crowd{t: t, line: &line{holds: make(chan struct{})}, outcomes: map[int64]chan error{}}
		client.AddHook(c.line)
		c.open(client, true)
		test(c)
	})
}

// call has a caller ask for n, and returns once that is under way or queued.
func (c *crowd) call(ctx context.Context, n int64) {
	c.outcomes[n] = make(chan error, 1)
	go func() {
		cmd := redis.NewCmd(ctx, "ask", n)
		err := c.process(ctx, cmd)
		if err == nil && cmd.Val() != n {
			err = errors.New("this is another one's answer")
		}
		c.outcomes[n] <- err
	}()
	synctest.Wait()
}

func (c *crowd) calls(from, to int64) {
	for n := from; n <= to; n++ {
		c.call(c.t.Context(), n)
	}
}

// goOn lets one sending be answered.
func (c *crowd) goOn() {
	c.line.holds <- struct{}{}
	synctest.Wait()
}

// outcome is that of the call for n, which must be over.
func (c *crowd) outcome(n int64) error {
	c.t.Helper()
	select {
	case err := <-c.outcomes[n]:
		return err
	default:
		c.t.Fatalf("call %d is not over", n)
		return nil
	}
}

func (c *crowd) succeed(from, to int64) {
	c.t.Helper()
	for n := from; n <= to; n++ {
		require.NoError(c.t, c.outcome(n), "%d", n)
	}
}

// sent checks what was sent together.
func (c *crowd) sent(want ...[]any) {
	c.t.Helper()
	require.Equal(c.t, want, c.line.all())
}

func each(ns ...int64) (all []any) {
	for _, n := range ns {
		all = append(all, n)
	}
	return all
}

func TestCallsBehindThoseUnderWayGoTogether(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		c.calls(1, 5)
		c.goOn()
		c.goOn()
		c.goOn()
		c.succeed(1, 5)
		c.calls(6, 6)
		c.goOn()
		c.succeed(6, 6)
		c.sent(each(1), each(2), each(3, 4, 5), each(6))
	})
}

func TestWhatAFailedPipelineHadIsSentOnceMoreByEachAlone(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		c.line.fails = func(n int) error {
			if n > 1 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		c.line.refuses = func(asks any) error {
			if asks == int64(4) {
				return io.EOF
			}
			return nil
		}
		c.calls(1, 5)
		close(c.line.holds)
		synctest.Wait()
		c.succeed(3, 3)
		require.ErrorIs(t, c.outcome(4), io.EOF)
		c.succeed(5, 5)
		require.Equal(t, each(3, 4, 5), c.line.all()[2])
		again := c.line.all()[3:]
		slices.SortFunc(again, func(a, b []any) int { return int(a[0].(int64) - b[0].(int64)) })
		require.Equal(t, [][]any{each(3), each(4), each(5)}, again)
	})
}

// said is an answer of the server that is an error.
type said string

func (s said) Error() string { return string(s) }
func (said) RedisError()     {}

func TestAnErrorInAPipelineIsItsOwnCallsAlone(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		c.line.refuses = func(asks any) error {
			switch asks {
			case int64(3):
				return said("WRONGTYPE Operation against a key")
			case int64(5):
				return said("NOSCRIPT No matching script")
			}
			return nil
		}
		c.calls(1, 6)
		close(c.line.holds)
		synctest.Wait()
		require.ErrorContains(t, c.outcome(3), "WRONGTYPE")
		c.succeed(4, 4)
		require.ErrorContains(t, c.outcome(5), "NOSCRIPT")
		c.succeed(6, 6)
		c.sent(each(1), each(2), each(3, 4, 5, 6), each(3))
	})
}

// Who left may use its bytes for something else, and nobody waits behind a large answer.
func TestAnAnswerInAPipelineIsSmallAndACopy(t *testing.T) {
	t.Parallel()
	raw := []byte("answer")
	cmd := redis.NewCmd(t.Context(), "ask", raw)
	own(cmd)
	raw[0] = 'A'
	require.Equal(t, []byte("answer"), asks(cmd))
	require.False(t, heavy(redis.NewCmd(t.Context(), make([]byte, light))))
	require.True(t, heavy(redis.NewCmd(t.Context(), make([]byte, light+1))))
}

func TestPipeliningIsForOneServerAndWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	one, many := client(), clusterClient(func(*redis.ClusterOptions) {})
	defer one.Close()
	defer many.Close()
	require.True(t, (&config{pipelining: true}).pipelined(one))
	require.False(t, (&config{pipelining: true}).pipelined(many))
	require.False(t, (&config{}).pipelined(one))
	require.False(t, (&config{pipelining: true, replicas: replicas{n: 1}}).pipelined(one))
	inCrowd(t, func(c *crowd) {
		c.off = true
		c.calls(1, 4)
		close(c.line.holds)
		synctest.Wait()
		c.sent(each(1), each(2), each(3), each(4))
	})
}
