package idem

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem/backend"
)

// lease keeps a claim alive while fn runs. It is a timer, not a goroutine, and not even that as long as fn has only begun:
// each time that a third of the lease is over the claim is renewed. When the claim is lost, or could not be renewed before
// it ran out, fn's context ends with ErrLeaseLost; when MaxRun is over, with ErrMaxRun.
//
// The monotonic clock of this process is used for that alone: it decides when to ask and when to stop fn, never what
// becomes of the record. It is read before a claim or renewal is sent, so it never believes in a lease for longer than
// the store does.
type lease struct {
	r     *run
	ctx   *runContext
	first runContext // room for the one context that most calls need

	mu      sync.Mutex
	timer   *time.Timer   // nil while the lease is in the guard's nursery
	until   time.Time     // the lease is believed to hold until then
	stopped bool          // no more renewals
	renewal chan struct{} // closed when the renewal that is under way ended; nil if none is
	abort   context.CancelFunc
	note    string

	done  atomic.Bool // fn returned: what renewals find now concerns nobody
	place place       // in the guard's nursery
}

// start returns the context that fn gets, and begins to renew.
func (l *lease) start(r *run) context.Context {
	l.ctx = &l.first
	l.prepare(r, r.ctx, r.s.detached)
	l.until = r.sent.Add(r.s.lease)
	if monotonic(r.sent) && l.next() > 3*lookEvery {
		r.g.nurseries.of(r.claim.ID).add(l)
	} else {
		l.arm()
	}
	return l.ctx
}

// arm gives the lease its timer, unless the call is over.
func (l *lease) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.timer = time.AfterFunc(l.next(), l.tick)
	}
}

// startTx returns the context that fn gets inside a transaction, which no lease limits, since nobody else can see its
// claim: only MaxRun is watched. It is called again when the transaction runs again.
func (l *lease) startTx(r *run, parent context.Context) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = false
	l.done.Store(false)
	ctx := new(runContext) // what the last one left behind may still look at the last context
	l.ctx = ctx
	l.prepare(r, parent, false)
	l.timer = time.AfterFunc(time.Until(l.end()), func() { ctx.cancel(ErrMaxRun) })
	return ctx
}

func (l *lease) prepare(r *run, parent context.Context, detached bool) {
	l.r = r
	l.ctx.run, l.ctx.parent, l.ctx.detached = r, parent, detached
}

// end is when MaxRun is over.
func (l *lease) end() time.Time { return l.r.sent.Add(l.r.s.maxRun) }

// next says when to look at the lease again: at a third of it, or at the end of MaxRun.
func (l *lease) next() time.Duration {
	renew := l.until.Add(-l.r.s.lease * 2 / 3)
	if end := l.end(); end.Before(renew) {
		renew = end
	}
	return time.Until(renew)
}

// tick runs on the timer's goroutine.
func (l *lease) tick() {
	l.mu.Lock()
	now := time.Now()
	switch {
	case l.stopped:
		l.mu.Unlock()
		return
	case !now.Before(l.end()):
		l.stopped = true
		l.mu.Unlock()
		l.ctx.cancel(ErrMaxRun)
		return
	case !now.Before(l.until):
		l.lose()
		return
	}
	ended := make(chan struct{})
	l.renewal = ended
	ctx, abort := context.WithDeadline(context.WithoutCancel(l.r.ctx), l.until)
	l.abort = abort
	expiry := time.AfterFunc(l.until.Sub(now), l.expire) // a store that ignores ctx must not keep fn running
	note := l.note
	l.mu.Unlock()

	grant, err := l.renew(ctx, note)
	expiry.Stop()
	abort()
	l.renewed(now, grant, err)
	close(ended)
}

// expire ends fn because the lease ran out while a renewal was under way.
func (l *lease) expire() {
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		return
	}
	l.lose()
}

// lose ends fn, and renewals. It unlocks.
func (l *lease) lose() {
	l.stopped = true
	done := l.done.Load()
	l.mu.Unlock()
	l.ctx.cancel(ErrLeaseLost)
	if !done {
		l.r.observe(Event{Kind: EventLost, Attempt: l.r.attempt, Code: CodeLeaseLost})
	}
}

func (l *lease) renew(ctx context.Context, note string) (backend.Grant, error) {
	r := l.r
	return r.g.store.Renew(ctx, r.claim.ID, r.claim.Token, backend.Renewal{
		Lease: r.s.lease, Retention: r.s.retention, Note: note,
	})
}

// renewed takes in what a renewal that was sent at the given time brought, and arms the timer again.
func (l *lease) renewed(sent time.Time, grant backend.Grant, err error) {
	l.mu.Lock()
	l.renewal, l.abort = nil, nil
	switch {
	case l.stopped:
		l.mu.Unlock()
		return
	case err == nil && grant.Verdict == backend.Kept:
		l.until = sent.Add(l.r.s.lease)
		l.timer.Reset(l.next())
	case err == nil:
		l.lose()
		return
	default:
		again := jitter(l.r.s.lease / 15)
		l.timer.Reset(max(0, min(again, time.Until(l.until), time.Until(l.end()))))
	}
	silent := err == nil || l.done.Load()
	l.mu.Unlock()
	if !silent {
		l.r.observe(Event{Kind: EventRenewFailed, Attempt: l.r.attempt, Err: err})
	}
}

// returned says that fn returned. The claim is still renewed until its outcome is stored.
func (l *lease) returned() { l.done.Store(true) }

// stop ends renewals and waits for the one that is under way, so that nothing runs on after the call.
func (l *lease) stop() {
	l.r.g.nurseries.of(l.r.claim.ID).remove(l)
	l.mu.Lock()
	l.stopped = true
	if l.timer != nil {
		l.timer.Stop()
	}
	renewal := l.renewal
	if l.abort != nil {
		l.abort()
	}
	l.mu.Unlock()
	l.ctx.cancel(nil)
	if renewal != nil {
		<-renewal
	}
}

// cause returns why idem ended fn's context, or nil.
func (l *lease) cause() error {
	switch cause := context.Cause(l.ctx); cause {
	case ErrLeaseLost, ErrMaxRun: //nolint:errorlint // the very values that tick set
		return cause
	}
	return nil
}

func (l *lease) noteText() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.note
}

// keepNote sends a note with a renewal of its own; inside a transaction there is nothing to renew.
func (r *run) keepNote(ctx context.Context, text string) error {
	l := &r.lease
	l.mu.Lock()
	l.note = text
	over := l.stopped
	l.mu.Unlock()
	if r.tx != nil {
		return nil
	}
	if over {
		return ErrLeaseLost
	}
	grant, err := l.renew(ctx, text)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the note: %w", ErrUnavailable, err)
	case grant.Verdict != backend.Kept:
		return ErrLeaseLost
	}
	return nil
}
