package idem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/idem-go/idem/backend"
)

func (g *Guard) execJoined(ctx context.Context, s *settings, call *Call, joined backend.TxStore) (Outcome, error) {
	r := new(run)
	if err := r.prepare(ctx, g, s, call); err != nil {
		return Outcome{}, g.refused(ctx, err)
	}
	r.tx = &transaction{}
	return r.doJoined(ctx, joined)
}

// doJoined is do inside the caller's transaction: it claims there, runs fn under a savepoint and writes the outcome
// there. Nothing is sent twice, since a transaction in which a statement failed is the caller's to roll back.
func (r *run) doJoined(ctx context.Context, s backend.TxStore) (Outcome, error) {
	r.sent = time.Now()
	grant, err := s.Begin(ctx, r.claim)
	switch {
	case err != nil:
		return Outcome{}, r.refused(r.joinError(err))
	case grant.Verdict != backend.Claimed:
		return r.answered(grant)
	}
	answer, err := r.nested(ctx, s, grant.Attempt)
	if err != nil {
		return Outcome{}, r.refused(r.joinError(err))
	}
	out, id, token := r.outcome(answer), r.claim.ID, r.claim.Token
	switch r.s.dispositionOf(answer) {
	case Release:
		grant, err := s.Release(ctx, id, token)
		return out, r.joined(EventReleased, grant, err, r.withCause(answer.Err))
	case HoldIt:
		grant, err := s.Hold(ctx, id, token, r.lease.noteText())
		return out, r.joined(EventHeld, grant, err, r.withCause(answer.Err))
	}
	grant, kind, err := r.store(answer, func(c backend.Completion) (backend.Grant, error) {
		return s.Complete(ctx, id, token, c)
	})
	out.Kept = kind == EventCompleted
	return out, r.joined(kind, grant, err, nil)
}

// nested runs fn under a savepoint. Whatever fn wrote is undone unless it returned a value; after a panic or Goexit the
// claim is removed too, in case the caller goes on and commits.
func (r *run) nested(ctx context.Context, s backend.TxStore, attempt int) (answer Answer, err error) {
	returned := false
	defer func() {
		if !returned {
			if _, err := s.Release(context.WithoutCancel(ctx), r.claim.ID, r.claim.Token); err != nil {
				r.observe(Event{Kind: EventNotStored, Attempt: attempt, Code: CodeNotStored, Err: err})
			}
		}
	}()
	err = s.Nested(ctx, func(ctx context.Context) error {
		answer = r.callTx(ctx, attempt)
		if d := r.s.dispositionOf(answer); d != Keep || answer.Err != nil {
			return &rollback{disposition: d, fnErr: answer.Err}
		}
		return nil
	})
	returned = true
	if back := (*rollback)(nil); errors.As(err, &back) && !errors.Is(err, ErrConflict) {
		return answer, nil
	}
	return answer, err
}

// joined reports what was written in the caller's transaction, and returns fnErr, or why it could not be written: the
// caller must then roll back.
func (r *run) joined(kind EventKind, grant backend.Grant, err, fnErr error) error {
	if err == nil && grant.Verdict != backend.Kept {
		err = ErrLeaseLost
	}
	r.gaveUp(kind, grant, err)
	if err != nil {
		return &NotStoredError{Err: r.joinError(err), FnErr: fnErr}
	}
	return fnErr
}

// joinError is the error of a call whose statement failed in the caller's transaction.
func (r *run) joinError(err error) error {
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrLeaseLost):
		return err
	case permanent(err):
		return refusal(err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
