// Package together has what callers ask in the same moment carried out as one.
package together

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	most    = 64              // of one batch
	waiting = 1024            // who comes while so many wait goes alone
	slowest = 5 * time.Second // what a batch may take
	turns   = 4               // that others have before a batch is taken
)

// Always has a lone caller queue as well, and be carried out as a batch of one. Tests on real servers set it, in an init
// function, so that whatever they ask goes the shared way.
var Always bool

// Line carries out what its callers ask. A lone caller carries its own out by itself, with no hand-over and no timer. While
// Flushes are under way, callers queue; when one of them returns, a goroutine takes what is queued, carries it out as one,
// and goes on until nothing is queued. So there is a goroutine only while others are waited for.
//
// Where sharing costs more than it saves until there are many, a Crowd tells how many there are: then all go alone, or none.
//
// The fields do not change once Do was called. Do may be called concurrently.
type Line[T any] struct {
	// Alone carries v out for the caller whose context it is given.
	Alone func(ctx context.Context, v T) error

	// Many carries several out, under a context of their own, which lasts for 5 s whoever leaves. What came of each it leaves in
	// each.
	Many func(ctx context.Context, vs []T)

	// Known returns what came of v, where Many has left that in it. What is not known is carried out again, once, by its own
	// caller alone: the fault may have been another's.
	Known func(v T) (known bool, err error)

	// Own makes v independent of what its caller may change once it has left.
	Own func(v T)

	Flushes  int           // how many may be under way
	Beside   int           // how many wait before another flush begins beside one of several
	Crowd    *Crowd        // nil: who comes while fewer than Flushes are under way goes alone
	Patience time.Duration // what a caller waits in the queue before it goes alone; 0 for ever

	// Stays has who is cancelled wait for what is on its way, until its deadline.
	Stays bool

	mu      sync.Mutex
	under   int        // calls that go alone, and flushes of several; nothing is queued while none is under way
	flushes int        // of these, the latter
	queue   []*call[T] // in the order of their coming
}

// Crowd counts the callers of one line or of some.
type Crowd struct {
	// Few are so few callers that each goes alone. It does not change once a line has the Crowd.
	Few int

	callers atomic.Int64
}

// enter counts a caller until leave, and reports whether there are no more than a few.
func (c *Crowd) enter() (few bool) {
	return c == nil || c.callers.Add(1) <= int64(c.Few)
}

func (c *Crowd) leave() {
	if c != nil {
		c.callers.Add(-1)
	}
}

// call is what one caller asks.
type call[T any] struct {
	ctx   context.Context //nolint:containedctx // the caller's own, who waits
	v     T
	over  chan struct{} // closed when it was carried out, or was tried to be
	alone bool          // by itself
	err   error         // of that
}

// Do carries v out, alone or among others. Where the caller leaves while v is on its way, behind is closed when that is over;
// v is then not the caller's any more.
func (l *Line[T]) Do(ctx context.Context, v T) (behind <-chan struct{}, err error) {
	few := l.Crowd.enter()
	defer l.Crowd.leave()
	l.mu.Lock()
	switch {
	case few && !Always && l.under < l.abreast() && len(l.queue) == 0:
		l.under++
		l.mu.Unlock()
		return nil, l.single(ctx, v)
	case len(l.queue) >= waiting:
		l.mu.Unlock()
		return nil, l.Alone(ctx, v)
	}
	l.Own(v)
	c := &call[T]{ctx: ctx, v: v, over: make(chan struct{})}
	l.queue = append(l.queue, c)
	l.begin()
	l.mu.Unlock()
	return l.wait(c)
}

// abreast is how many may be under way, whatever they are.
func (l *Line[T]) abreast() int {
	if l.Crowd == nil {
		return l.Flushes
	}
	return max(l.Crowd.Few, l.Flushes)
}

// begin begins a flush where something is queued that no other one should wait for. l is locked.
func (l *Line[T]) begin() {
	switch {
	case len(l.queue) == 0, l.flushes == l.Flushes, l.under == l.abreast():
		return
	case l.flushes > 0 && len(l.queue) < l.Beside:
		return
	}
	l.under++
	l.flushes++
	go l.flush()
}

// single carries v out by itself, as a flush.
func (l *Line[T]) single(ctx context.Context, v T) error {
	defer l.next()
	return l.Alone(ctx, v)
}

// next ends a flush of a single caller. What was queued meanwhile begins the next.
func (l *Line[T]) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under--
	l.begin()
}

// flush carries out what is queued until nothing is.
func (l *Line[T]) flush() {
	ended := false
	defer func() {
		if !ended { // what was called ended its goroutine
			go l.flush()
		}
	}()
	for !ended {
		l.gather()
		batch := l.take()
		ended = len(batch) == 0
		l.carry(batch)
	}
}

// gather lets who was woken have its turn first, so that what it asks next is among the rest: for as long as more come, and
// not for long.
func (l *Line[T]) gather() {
	for before, turn := 0, 0; turn < turns; turn++ {
		runtime.Gosched()
		n := l.queued()
		if n == before || n >= most {
			return
		}
		before = n
	}
}

func (l *Line[T]) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// take takes a batch off the queue. An empty one ends the flush.
func (l *Line[T]) take() []*call[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.queue), most)
	batch := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	if n == 0 {
		l.under--
		l.flushes--
	}
	return batch
}

// carry carries a batch out, and wakes its callers whatever happens.
func (l *Line[T]) carry(batch []*call[T]) {
	defer func() {
		_ = recover() // whoever's fault it is meets it again, alone and on a goroutine of its own
		for _, c := range batch {
			close(c.over)
		}
	}()
	switch {
	case len(batch) == 1 && !Always:
		c := batch[0]
		c.err = l.Alone(c.ctx, c.v)
		c.alone = true
	case len(batch) > 0:
		l.many(batch)
	}
}

func (l *Line[T]) many(batch []*call[T]) {
	vs := make([]T, len(batch))
	for i, c := range batch {
		vs[i] = c.v
	}
	// Not until the last caller has left: what is cut off may still be carried out, and then overtakes what follows it.
	ctx, cancel := context.WithTimeout(context.Background(), slowest)
	defer cancel()
	l.Many(ctx, vs)
}

// wait returns when the call is over, or its caller's context.
func (l *Line[T]) wait(c *call[T]) (behind <-chan struct{}, err error) {
	var impatient <-chan time.Time
	if l.Patience > 0 {
		timer := time.NewTimer(l.Patience)
		defer timer.Stop()
		impatient = timer.C
	}
	for {
		select {
		case <-c.over:
			return nil, l.result(c)
		case <-c.ctx.Done():
			return l.leave(c)
		case <-impatient:
			if l.withdraw(c) {
				return nil, l.Alone(c.ctx, c.v)
			}
		}
	}
}

// withdraw takes a call out of the queue, and reports whether it was still there.
func (l *Line[T]) withdraw(c *call[T]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.queue, c)
	if at >= 0 {
		l.queue = slices.Delete(l.queue, at, at+1)
	}
	return at >= 0
}

// leave is what a caller does whose context ended.
func (l *Line[T]) leave(c *call[T]) (behind <-chan struct{}, err error) {
	if l.withdraw(c) {
		return nil, context.Cause(c.ctx)
	}
	if l.Stays && c.ctx.Err() != context.DeadlineExceeded { //nolint:errorlint // a context's own word
		<-c.over
		return nil, l.result(c)
	}
	return c.over, context.Cause(c.ctx)
}

// result is what came of a call that is over.
func (l *Line[T]) result(c *call[T]) error {
	if c.alone {
		return c.err
	}
	known, err := l.Known(c.v)
	switch {
	case known:
		return err
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	}
	return l.Alone(c.ctx, c.v)
}
