package idem

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/idem-go/idem/backend"
)

// budget bounds what the engine spends on one operation of a store, all tries together: a claim before fn, and the
// bookkeeping after it.
const budget = 5 * time.Second

// beginTries is how often a claim is sent before the call fails: a client can send the whole again.
const beginTries = 3

// begin claims. A claim whose answer is lost is sent again under the same token, which the store recognises; if that
// does not help either, or the caller left, the token is released, so that a claim which did arrive blocks nobody.
func (r *asking) begin(ctx context.Context) (backend.Grant, error) {
	r.sent = time.Now()
	budgeted := r.claiming()
	budgeted.parent, budgeted.end = ctx, r.sent.Add(budget)
	defer budgeted.drop()
	ctx = budgeted
	for try := 1; ; try++ {
		grant, err := r.g.store.Begin(ctx, r.claim)
		switch {
		case err == nil && (grant.Verdict != backend.Claimed || ctx.Err() == nil):
			r.remember(grant)
			return grant, nil
		case err == nil: // claimed, but nobody is there to run it
			r.withdraw()
			return backend.Grant{}, r.unavailable(ctx, nil)
		case permanent(err):
			return backend.Grant{}, refusal(err)
		case try == beginTries || !pause(ctx, try):
			r.withdraw()
			return backend.Grant{}, r.unavailable(ctx, err)
		}
		r.observe(Event{Kind: EventRetried, Err: err})
	}
}

var errBudget = fmt.Errorf("idem: no answer within %v", budget)

// claiming returns room for the context of a claim.
func (r *asking) claiming() *lateContext {
	if r.slot == nil || r.slot.claiming.parent != nil {
		return new(lateContext)
	}
	return &r.slot.claiming
}

// afterwards returns a context for one operation that follows fn, with all its tries. It has the caller's values, and not
// his end.
func (r *run) afterwards() *lateContext {
	c := &r.settling
	if c.parent != nil { // there was another one before
		c = new(lateContext)
	}
	c.parent, c.detached, c.end = r.ctx, true, r.now().Add(budget)
	return c
}

// unavailable says why there is no claim: the caller left, or the store did not answer.
func (r *asking) unavailable(ctx context.Context, err error) error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// withdraw releases a claim that may have arrived although nobody will run it. It is sent once: what slips through ends
// with its lease.
func (r *asking) withdraw() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Second)
	defer cancel()
	if _, err := r.g.store.Release(ctx, r.claim.ID, r.claim.Token); err != nil {
		r.observe(Event{Kind: EventNotStored, Code: CodeNotStored, Err: err})
	}
}

// settle sends what follows fn until the store has answered or the budget is spent. It does not depend on the caller,
// who may have left: the context is made after fn returned.
func (r *run) settle(op func(context.Context) (backend.Grant, error)) (backend.Grant, error) {
	ctx := r.afterwards()
	defer ctx.drop()
	for try := 1; ; try++ {
		grant, err := op(ctx)
		if err == nil || permanent(err) || !pause(ctx, try) {
			return grant, err
		}
		r.observe(Event{Kind: EventRetried, Attempt: r.attempt, Err: err})
	}
}

// now is the time, read as the time since the claim was sent, which costs half.
func (r *run) now() time.Time { return r.sent.Add(time.Since(r.sent)) }

// permanent says whether a store's error will be the same at every try.
func permanent(err error) bool {
	for _, e := range []error{backend.ErrTooLarge, backend.ErrCorrupt, backend.ErrVersion, backend.ErrUnknownUser, backend.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// refusal turns a permanent error of a claim into the caller's.
func refusal(err error) error {
	if errors.Is(err, backend.ErrUnknownUser) {
		return fmt.Errorf("%w: %w", ErrInvalidUser, err)
	}
	return err
}

// pause waits before the next try: a jittered time that doubles from 10 ms to half a second. It returns false if ctx
// ends first.
func pause(ctx context.Context, try int) bool {
	return sleep(ctx, jitter(10*time.Millisecond<<min(try-1, 6)))
}

// jitter returns between a half and the whole of d.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
