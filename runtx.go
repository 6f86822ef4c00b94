package idem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/idem-go/idem/backend"
)

// transaction is a store's Transactor without its type.
type transaction struct {
	in     func(ctx context.Context, c backend.Claim, body func(context.Context, backend.TxStore) error) (backend.Grant, error)
	settle func(context.Context, backend.ID, backend.Token) (backend.Grant, error)

	ran    bool    // fn has returned
	answer Answer  // what fn returned last
	out    Outcome // what the call returns, once fn ran
	err    error
}

func (g *Guard) execTx(ctx context.Context, s *settings, call *Call, t *transaction) (Outcome, error) {
	r := new(run)
	if err := r.prepare(ctx, g, s, call); err != nil {
		return Outcome{}, g.refused(ctx, err)
	}
	r.tx = t
	return r.doTx(ctx)
}

// maxRestarts is how often a transaction that the database rolled back is run again.
const maxRestarts = 10

// doTx is do for a call whose claim, effect and answer commit together.
func (r *run) doTx(ctx context.Context) (Outcome, error) {
	if grant, ok := r.recall(); ok {
		return r.answered(grant)
	}
	grant, err := r.ask(ctx, r.tryTx)
	if err != nil {
		return Outcome{}, r.refused(err)
	}
	if grant.Verdict != backend.Claimed {
		return r.answered(grant)
	}
	return r.tx.out, r.tx.err
}

// tryTx claims in a transaction, runs fn there and commits. Claimed means that fn ran and that r.tx says what came of
// it; any other verdict, or an error, that nothing happened.
func (r *run) tryTx(ctx context.Context) (backend.Grant, error) {
	for restart := 0; ; restart++ {
		r.rerun = restart
		grant, err := r.runTx(ctx)
		if err == nil {
			return grant, nil
		}
		if back := (*rollback)(nil); errors.As(err, &back) {
			if !errors.Is(err, ErrConflict) {
				return r.afterRollback(back)
			}
		} else if errors.Is(err, ErrCommitUnknown) {
			if err = r.settleTx(err); err == nil {
				return backend.Grant{Verdict: backend.Claimed}, nil
			}
		} else if permanent(err) {
			return backend.Grant{}, refusal(err)
		}
		if !errors.Is(err, ErrConflict) || restart == maxRestarts || !pause(ctx, restart+1) {
			return backend.Grant{}, r.txError(ctx, err)
		}
		r.observe(Event{Kind: EventRestarted, Attempt: r.attempt, Err: storeError(err)})
	}
}

// runTx is one transaction.
func (r *run) runTx(ctx context.Context) (backend.Grant, error) {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	detach := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer detach()
	r.sent = time.Now()
	begin := time.AfterFunc(budget, func() { cancel(errBudget) })
	defer begin.Stop()
	r.tx.ran = false
	grant, err := r.tx.in(inner, r.claim, func(ctx context.Context, s backend.TxStore) error {
		begin.Stop()
		if r.s.detached {
			detach()
		}
		return r.inTx(ctx, s)
	})
	if err == nil && grant.Verdict == backend.Claimed && !r.tx.ran {
		return backend.Grant{}, fmt.Errorf("%w: the store claimed and ran nothing", ErrUnavailable)
	}
	if err == nil && grant.Verdict == backend.Claimed {
		r.tx.out.Attempt = max(1, grant.Attempt)
		r.observe(Event{Kind: r.tx.stored(), Attempt: r.tx.out.Attempt})
	}
	if err == nil {
		r.remember(grant)
	}
	return grant, err
}

// inTx runs fn and stores its answer, inside the transaction.
func (r *run) inTx(ctx context.Context, s backend.TxStore) error {
	answer := r.callTx(ctx, 1)
	r.tx.ran = true
	r.tx.answer, r.tx.out, r.tx.err = answer, r.outcome(answer), nil
	if d := r.s.dispositionOf(answer); d != Keep || answer.Err != nil {
		return &rollback{disposition: d, fnErr: answer.Err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, budget, errBudget)
	defer cancel()
	grant, kind, err := r.store(answer, func(c backend.Completion) (backend.Grant, error) {
		return s.Complete(ctx, r.claim.ID, r.claim.Token, c)
	})
	if err == nil && grant.Verdict != backend.Kept {
		err = ErrLeaseLost
	}
	r.tx.out.Kept = kind == EventCompleted
	return err
}

// callTx calls fn in the transaction's context.
func (r *run) callTx(ctx context.Context, attempt int) (answer Answer) {
	r.claimed(attempt)
	ctx = r.lease.startTx(r, ctx)
	returned := false
	defer func() {
		r.lease.stop()
		if !returned { // a panic or Goexit keeps its course; the store rolls back
			r.observe(Event{Kind: EventReleased, Attempt: attempt})
		}
	}()
	answer = r.work(ctx)
	returned = true
	return answer
}

func (t *transaction) stored() EventKind {
	if t.out.Kept {
		return EventCompleted
	}
	return EventTombstoned
}

// rollback ends a transaction whose fn asked for that. It unwraps to fn's error, so that the store can see in it that
// the database had rolled back already.
type rollback struct {
	disposition Disposition
	fnErr       error
}

func (*rollback) Error() string   { return "idem: fn asked for a rollback" }
func (b *rollback) Unwrap() error { return b.fnErr }

// afterRollback does what is left to do when fn's writes are rolled back.
func (r *run) afterRollback(back *rollback) (backend.Grant, error) {
	claimed := backend.Grant{Verdict: backend.Claimed}
	r.tx.err = r.withCause(back.fnErr)
	var write func(context.Context, backend.TxStore) (backend.Grant, error)
	switch back.disposition {
	case HoldIt:
		write = func(ctx context.Context, s backend.TxStore) (backend.Grant, error) {
			return s.Hold(ctx, r.claim.ID, r.claim.Token, r.lease.noteText())
		}
	case Keep:
		write = func(ctx context.Context, s backend.TxStore) (grant backend.Grant, err error) {
			grant, kind, err := r.store(r.tx.answer, func(c backend.Completion) (backend.Grant, error) {
				return s.Complete(ctx, r.claim.ID, r.claim.Token, c)
			})
			r.tx.out.Kept, r.tx.err = kind == EventCompleted, nil
			return grant, err
		}
	default:
		r.observe(Event{Kind: EventReleased, Attempt: r.attempt})
		return claimed, nil
	}
	grant, err := r.writeTx(write)
	if err != nil {
		r.tx.err = r.notStored(err, back.fnErr)
		return claimed, nil
	}
	if grant.Verdict == backend.Claimed {
		kind := EventHeld
		if back.disposition == Keep {
			kind = r.tx.stored()
		}
		r.observe(Event{Kind: kind, Attempt: r.attempt})
	}
	return grant, nil
}

// writeTx claims again and writes in a transaction of its own. If somebody else claimed meanwhile and ended, it says what
// is there. A claim in flight is asked for again: it may be the transaction that was rolled back, whose server has not
// seen yet that its connection is gone.
func (r *run) writeTx(write func(context.Context, backend.TxStore) (backend.Grant, error)) (backend.Grant, error) {
	return r.settle(func(ctx context.Context) (backend.Grant, error) {
		grant, err := r.tx.in(ctx, r.claim, func(ctx context.Context, s backend.TxStore) error {
			written, err := write(ctx, s)
			if err == nil && written.Verdict != backend.Kept {
				err = ErrLeaseLost
			}
			return err
		})
		if errors.Is(err, ErrCommitUnknown) {
			settled, serr := r.tx.settle(ctx, r.claim.ID, r.claim.Token)
			if serr == nil && settled.Verdict == backend.Kept {
				return backend.Grant{Verdict: backend.Claimed}, nil
			}
		}
		if err == nil && grant.Verdict == backend.InFlight {
			err = &InFlightError{RetryAfter: retryAfter(grant)}
		}
		return grant, err
	})
}

// settleTx finds out how a transaction ended whose COMMIT had no answer: nil if it took effect, ErrConflict if it was
// rolled back and may be run again, else ErrCommitUnknown.
func (r *run) settleTx(commitErr error) error {
	grant, err := r.settle(func(ctx context.Context) (backend.Grant, error) {
		return r.tx.settle(ctx, r.claim.ID, r.claim.Token)
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w; %w", commitErr, err)
	case grant.Verdict == backend.Kept:
		r.observe(Event{Kind: r.tx.stored(), Attempt: r.tx.out.Attempt})
		return nil
	}
	return fmt.Errorf("%w: its COMMIT did not take effect", ErrConflict)
}

// txError is the error of a call whose transaction was rolled back by something else than fn.
func (r *run) txError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrCommitUnknown), errors.Is(err, ErrLeaseLost):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrConflict):
		return fmt.Errorf("%w, %d times in a row: %w", ErrConflict, r.rerun+1, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func (r *run) outcome(answer Answer) Outcome {
	return Outcome{Payload: answer.Payload, Kind: answer.kind(), Attempt: max(1, r.attempt)}
}
