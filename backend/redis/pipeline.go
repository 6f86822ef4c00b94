package redisbackend

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	flushes  = 2                     // how many may be under way
	together = 64                    // commands of one pipeline
	waiting  = 1024                  // commands that wait for one; who comes then goes alone
	patience = 50 * time.Millisecond // what a command waits before it goes alone
	slowest  = 5 * time.Second       // what a pipeline may take, if no deadline in it is earlier
	light    = 16 << 10              // bytes of an answer that others do not wait behind
)

// pipeline sends what several callers have to send in the same moment as one pipeline, on one connection. A lone caller
// sends its own command by itself. While flushes are under way, callers queue; who returns from one hands all that is
// queued to one of those that wait, the one with the latest deadline, who sends it for all. So there is no goroutine but
// those of the callers, and no deadline in a pipeline is later than the sender's own.
//
// Its methods may be called concurrently.
type pipeline struct {
	client redis.UniversalClient
	off    bool // every command goes by itself

	mu    sync.Mutex
	under int     // flushes under way; all of them while anything is queued
	queue []*call // in the order of their coming
}

// call is one caller's command.
type call struct {
	ctx  context.Context //nolint:containedctx // the caller's own, who waits
	cmd  *redis.Cmd
	told chan []*call // once: what to send for all, or nil when the command is over
	left bool         // nobody waits for it any more; under mu
}

// process carries a command out, alone or among others. Only without an error may the caller read the command or use its
// arguments again: who leaves at a deadline leaves it behind with those who send it.
func (p *pipeline) process(ctx context.Context, cmd *redis.Cmd) error {
	if p.off || heavy(cmd) {
		return p.client.Process(ctx, cmd)
	}
	p.mu.Lock()
	switch {
	case p.under < flushes:
		p.under++
		p.mu.Unlock()
		return p.single(ctx, cmd)
	case len(p.queue) >= waiting:
		p.mu.Unlock()
		return p.client.Process(ctx, cmd)
	}
	own(cmd)
	c := &call{ctx: ctx, cmd: cmd, told: make(chan []*call, 1)}
	p.queue = append(p.queue, c)
	p.mu.Unlock()
	return p.wait(c)
}

// heavy reports whether others would wait long behind a command.
func heavy(cmd *redis.Cmd) bool {
	return slices.ContainsFunc(cmd.Args(), func(arg any) bool {
		raw, ok := arg.([]byte)
		return ok && len(raw) > light
	})
}

// own copies what the caller may change once it has left.
func own(cmd *redis.Cmd) {
	for i, arg := range cmd.Args() {
		if raw, ok := arg.([]byte); ok {
			cmd.Args()[i] = slices.Clone(raw)
		}
	}
}

// single sends a command by itself, as a flush.
func (p *pipeline) single(ctx context.Context, cmd *redis.Cmd) error {
	defer p.handOver(false)
	return p.client.Process(ctx, cmd)
}

// handOver ends a flush and has the next one begin, if anything is queued. Callers that were woken by the flush have their
// turn first, so that what they send next is in it.
func (p *pipeline) handOver(woken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if woken || len(p.queue) > 0 {
		p.mu.Unlock()
		runtime.Gosched()
		p.mu.Lock()
	}
	for len(p.queue) > 0 {
		n := min(len(p.queue), together)
		batch := p.queue[:n:n]
		p.queue = append(make([]*call, 0, n), p.queue[n:]...)
		if appoint(batch) {
			return
		}
	}
	p.under--
}

// appoint makes one of a batch its sender, and reports whether anybody is there to be. Whoever left is not sent. The caller
// holds the lock.
func appoint(batch []*call) bool {
	batch = slices.DeleteFunc(batch, func(c *call) bool { return c.left })
	if len(batch) == 0 {
		return false
	}
	slices.MaxFunc(batch, later).told <- batch
	return true
}

// later orders calls by their deadlines. None is the latest.
func later(a, b *call) int {
	at, limited := a.ctx.Deadline()
	bt, other := b.ctx.Deadline()
	switch {
	case limited && other:
		return at.Compare(bt)
	case limited:
		return -1
	case other:
		return 1
	}
	return 0
}

// wait returns when the command is over, or the caller's context, as far as it ends a wait.
func (p *pipeline) wait(c *call) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case batch := <-c.told:
			return p.tell(c, batch)
		case <-c.ctx.Done():
			return p.leave(c)
		case <-timer.C:
			if p.withdraw(c) {
				return p.client.Process(c.ctx, c.cmd)
			}
		}
	}
}

// withdraw takes a command out of the queue, and reports whether it was still there.
func (p *pipeline) withdraw(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.queue, c)
	if at >= 0 {
		p.queue = slices.Delete(p.queue, at, at+1)
	}
	return at >= 0
}

// tell is what a caller does about what it is told.
func (p *pipeline) tell(c *call, batch []*call) error {
	if batch != nil {
		p.mu.Lock()
		batch = slices.DeleteFunc(batch, func(c *call) bool { return c.left })
		p.mu.Unlock()
		if len(batch) == 1 {
			return p.single(c.ctx, c.cmd)
		}
		p.send(c, batch)
	}
	return p.result(c)
}

// leave is what a caller does whose context ended. What is queued is taken out. What is on its way is waited for after a
// cancellation, as without a pipeline, and left behind at a deadline.
func (p *pipeline) leave(c *call) error {
	if p.withdraw(c) {
		return context.Cause(c.ctx)
	}
	if c.ctx.Err() != context.DeadlineExceeded { //nolint:errorlint // a context's own word
		return p.stay(c, <-c.told)
	}
	p.mu.Lock()
	select {
	case batch := <-c.told:
		p.mu.Unlock()
		return p.stay(c, batch)
	default:
		c.left = true
		p.mu.Unlock()
		return context.Cause(c.ctx)
	}
}

// stay is tell for a caller whose context ended: it sends nothing any more, and gives what it should send to another.
func (p *pipeline) stay(c *call, batch []*call) error {
	if batch == nil {
		return p.result(c)
	}
	p.mu.Lock()
	c.left = true
	passed := appoint(batch)
	p.mu.Unlock()
	if !passed {
		p.handOver(false)
	}
	return context.Cause(c.ctx)
}

// send sends a batch for all who are in it, under the sender's deadline but not its cancellation.
func (p *pipeline) send(sender *call, batch []*call) {
	defer p.handOver(true)
	defer func() {
		for _, c := range batch {
			if c != sender {
				c.told <- nil
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(sender.ctx), slowest)
	defer cancel()
	if deadline, ok := sender.ctx.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	_, _ = p.client.Pipelined(ctx, func(on redis.Pipeliner) error { // every command has its own error
		for _, c := range batch {
			if err := on.Process(ctx, c.cmd); err != nil {
				return err
			}
		}
		return nil
	})
}

// result is what became of a command in a pipeline. One that has no answer is sent again, once, by its own caller alone: the
// fault may have been another's, and every command can be told twice under its token.
func (p *pipeline) result(c *call) error {
	err := c.cmd.Err()
	switch {
	case err == nil && c.cmd.Val() != nil, err != nil && unknownScript(err):
		return err
	case c.ctx.Err() == nil:
		return p.client.Process(c.ctx, c.cmd)
	case err != nil:
		return err
	}
	return context.Cause(c.ctx)
}
