package idem

import (
	"context"
	"sync/atomic"
	"time"
)

// lateContext is a context with a cause and perhaps a deadline that is made when somebody looks at its end: what answers
// at once, such as a store in memory or a function that needs no context, pays nothing for it. To whoever looks it is a
// context of package context, context.Cause included.
type lateContext struct {
	parent   context.Context
	detached bool      // it has the parent's values and not its end
	end      time.Time // its deadline, if it has one; the cause is then errBudget

	made atomic.Pointer[madeContext] // nil until somebody looks
}

// madeContext is the context that stands behind a lateContext.
type madeContext struct {
	context.Context
	stop context.CancelCauseFunc
}

// endedUnseen stands for a context that was cancelled without a cause before anybody looked.
var endedUnseen = new(madeContext)

// Deadline returns the earlier one of the parent's deadline and its own.
func (c *lateContext) Deadline() (time.Time, bool) {
	if !c.detached {
		if d, ok := c.parent.Deadline(); ok && (c.end.IsZero() || d.Before(c.end)) {
			return d, true
		}
	}
	return c.end, !c.end.IsZero()
}

// Done makes the context.
func (c *lateContext) Done() <-chan struct{} { return c.make().Done() }

// Err returns why the context ended, or nil.
func (c *lateContext) Err() error {
	if made := c.look(); made != nil {
		return made.Err()
	}
	if c.detached {
		return nil
	}
	return c.parent.Err()
}

// Value returns the parent's value. What package context looks for, it looks for after Done or Err, and so finds it in the
// context that was made.
func (c *lateContext) Value(key any) any {
	if made := c.look(); made != nil {
		return made.Value(key)
	}
	return c.parent.Value(key)
}

// look returns the context if it was made, or if it has ended by itself.
func (c *lateContext) look() *madeContext {
	if c.made.Load() == nil && !c.over() {
		return nil
	}
	return c.make()
}

// make returns the context that stands behind c.
func (c *lateContext) make() *madeContext {
	for {
		there := c.made.Load()
		if there != nil && there != endedUnseen {
			return there
		}
		mine := c.context(there == endedUnseen)
		if c.made.CompareAndSwap(there, mine) {
			return mine
		}
		mine.stop(nil) // somebody else was faster
	}
}

func (c *lateContext) context(ended bool) *madeContext {
	parent := c.parent
	if c.detached || ended { // what became of the parent after the end does not count
		parent = context.WithoutCancel(parent)
	}
	if !ended && !c.end.IsZero() {
		made, stop := context.WithDeadlineCause(parent, c.end, errBudget)
		return &madeContext{made, func(error) { stop() }}
	}
	made, stop := context.WithCancelCause(parent)
	if ended {
		stop(nil)
	}
	return &madeContext{made, stop}
}

// cancel ends the context. The first cause counts; that of a context with a deadline is context.Canceled.
func (c *lateContext) cancel(cause error) {
	switch {
	case c.made.Load() != nil:
	case !c.detached && c.parent.Err() != nil, c.over(): // it has ended before
		return
	case cause == nil || !c.end.IsZero():
		if c.made.CompareAndSwap(nil, endedUnseen) {
			return
		}
	}
	if c.made.Load() != endedUnseen {
		c.make().stop(cause)
	}
}

// drop cancels a context that nobody needs any more. It is cancel without a look at the clock: who looks for the first
// time after this is told that it was cancelled, even where its deadline came first.
func (c *lateContext) drop() {
	if !c.made.CompareAndSwap(nil, endedUnseen) {
		c.cancel(nil)
	}
}

// over reports whether the deadline is over.
func (c *lateContext) over() bool { return !c.end.IsZero() && time.Until(c.end) <= 0 }
