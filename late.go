package idem

import (
	"context"
	"sync"
	"time"
)

// lateContext is a context with a cause and perhaps a deadline that is made when somebody looks at its end: what answers
// at once, such as a store in memory or a function that needs no context, pays nothing for it. To whoever looks it is a
// context of package context, context.Cause included.
type lateContext struct {
	parent   context.Context
	detached bool      // it has the parent's values and not its end
	end      time.Time // its deadline, if it has one
	why      error     // the cause of that

	mu     sync.Mutex
	made   context.Context // nil until somebody looks
	stop   context.CancelCauseFunc
	ended  bool
	reason error
}

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
func (c *lateContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.make().Done()
}

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
func (c *lateContext) look() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil && !c.ended && !c.over() {
		return nil
	}
	return c.make()
}

// make returns the context that stands behind c. The caller holds the lock.
func (c *lateContext) make() context.Context {
	if c.made != nil {
		return c.made
	}
	parent := c.parent
	if c.detached || c.ended { // what became of the parent after the end does not count
		parent = context.WithoutCancel(parent)
	}
	if c.end.IsZero() || c.ended {
		c.made, c.stop = context.WithCancelCause(parent)
	} else {
		made, stop := context.WithDeadlineCause(parent, c.end, c.why)
		c.made, c.stop = made, func(error) { stop() }
	}
	if c.ended {
		c.stop(c.reason)
	}
	return c.made
}

// cancel ends the context. The first cause counts; that of a context with a deadline is context.Canceled.
func (c *lateContext) cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.made != nil:
		c.stop(cause)
	case c.ended, c.over(), !c.detached && c.parent.Err() != nil: // it has ended before
	case c.end.IsZero():
		c.ended, c.reason = true, cause
	default:
		c.ended = true
	}
}

// over reports whether the deadline is over.
func (c *lateContext) over() bool { return !c.end.IsZero() && !time.Now().Before(c.end) }
