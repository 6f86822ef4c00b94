package idem

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/idem-go/idem/backend"
)

// asking is a call before it is known whether fn runs. No pointer to it outlives the call, so that it stands on the stack
// and a replay does not pay for what only a run needs.
type asking struct {
	g     *Guard
	s     *settings
	codec string                       // as in Call
	work  func(context.Context) Answer // Call.Run
	ctx   context.Context              // the caller's
	claim backend.Claim
	sent  time.Time     // when the claim was sent, on this process's monotonic clock
	began time.Duration // when the call began, since loaded; for the observer

	parent *run  // the run that this call was made in, for ErrReentrant
	slot   *Slot // may be nil
	cached bool  // the answer comes from the guard's cache
}

// run is one call whose fn runs: begin, run, then complete, release or hold. There is nothing generic here and nothing of
// any store.
type run struct {
	asking
	attempt int
	rerun   int // as in Attempt
	lease   lease
	tx      *transaction // nil but in DoTx and JoinTx

	settling lateContext // room for the context of the first operation that follows fn
}

// loaded is when the process began, by its monotonic clock.
var loaded = time.Now()

// prepare makes r ready for one call, and refuses what must not reach the store.
func (r *asking) prepare(ctx context.Context, g *Guard, s *settings, call *Call) error {
	if err := call.Key.Check(); err != nil {
		return err
	}
	if g.policy != nil {
		if err := g.policy(call.Key); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalidKey, err)
		}
	}
	if err := call.User.Check(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.g, r.s, r.codec, r.work, r.ctx, r.parent = g, s, call.Codec, call.Run, ctx, runFrom(ctx)
	if g.observer != nil {
		r.began = time.Since(loaded)
	}
	r.claim = backend.Claim{
		ID:          backend.NewID(g.name, string(call.User), string(call.Key)),
		Token:       backend.NewToken(),
		Fingerprint: call.Fingerprint,
		Lease:       s.lease, Retention: s.retention, Hold: s.guarantee == Hold,
		Guard: g.name, User: string(call.User), Key: string(call.Key),
	}
	for outer := r.parent; outer != nil; outer = outer.parent {
		if outer.claim.ID == r.claim.ID && sameStore(outer.g.store, g.store) {
			return ErrReentrant
		}
	}
	return nil
}

// sameStore reports whether two guards keep their records in one store, as far as can be told.
func sameStore(a, b backend.Store) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// do claims, waiting if asked to, and then runs or answers with what is stored.
func (r *asking) do(ctx context.Context) (Outcome, error) {
	if r.g.cache != nil {
		if grant, ok := r.recall(); ok {
			return r.answered(grant)
		}
	}
	grant, err := r.ask(ctx, r.begin)
	if err != nil {
		return Outcome{}, r.refused(err)
	}
	if grant.Verdict != backend.Claimed {
		return r.answered(grant)
	}
	claimed := &run{asking: *r}
	return claimed.execute(grant)
}

// answered is the outcome of a call whose fn did not run, or whose own answer does not count.
func (r *asking) answered(grant backend.Grant) (Outcome, error) {
	switch grant.Verdict {
	case backend.Replay:
		out, err := r.replay(grant)
		if err != nil {
			return out, r.refused(err)
		}
		r.observe(Event{Kind: EventReplayed, Attempt: out.Attempt, Cached: r.cached})
		return out, nil
	case backend.Mismatch:
		return Outcome{}, r.refused(&MismatchError{})
	case backend.InFlight:
		return Outcome{}, r.refused(&InFlightError{RetryAfter: retryAfter(grant)})
	case backend.Held:
		return Outcome{}, r.refused(ErrUnknownOutcome)
	}
	return Outcome{}, r.refused(fmt.Errorf("%w: the store answered %v to Begin", ErrCorrupt, grant.Verdict))
}

func (r *asking) replay(grant backend.Grant) (Outcome, error) {
	e, err := openFor(r.codec, grant.Answer)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{
		Payload: e.payload, Kind: e.kind, Replayed: true, Kept: e.kind != KindTombstone,
		Attempt: grant.Attempt, Age: grant.Age,
	}
	if e.kind == KindTombstone {
		return out, ErrAnswerNotKept
	}
	return out, nil
}

// retryAfter grows with the time that the first attempt has taken so far: clients of a short one are not sent away for
// a whole lease, and clients of a long one do not come back every second.
func retryAfter(g backend.Grant) time.Duration {
	d := min(g.Age, g.LeaseLeft, 30*time.Second)
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}

// execute runs the claimed call and stores what comes of it.
func (r *run) execute(grant backend.Grant) (Outcome, error) {
	r.claimed(grant.Attempt)
	ctx := r.lease.start(r)
	defer r.lease.stop()
	returned := false
	defer func() {
		if !returned { // a panic or Goexit keeps its course
			r.abandoned()
		}
	}()
	answer := r.work(ctx)
	returned = true
	r.lease.returned()
	return r.conclude(answer)
}

func (r *run) claimed(attempt int) {
	r.attempt = attempt
	kind := EventClaimed
	if attempt > 1 {
		kind = EventTakenOver
	}
	r.observe(Event{Kind: kind, Attempt: attempt})
}

// abandoned is what follows a panic or Goexit in fn.
func (r *run) abandoned() {
	r.lease.returned()
	defer r.poke()
	if r.s.guarantee.afterError() == HoldIt {
		_ = r.hold(errAbandoned) // reported to the observer; the panic goes on
		return
	}
	r.release()
}

var errAbandoned = errors.New("idem: fn panicked or exited")

// conclude stores what fn's answer asks for.
func (r *run) conclude(answer Answer) (Outcome, error) {
	defer r.poke()
	out := Outcome{Payload: answer.Payload, Kind: answer.kind(), Attempt: r.attempt}
	switch r.s.dispositionOf(answer) {
	case Release:
		r.release()
		return out, r.withCause(answer.Err)
	case HoldIt:
		return out, r.withCause(r.hold(answer.Err))
	}
	return r.complete(answer, out)
}

// dispositionOf says what becomes of the record after answer.
func (s *settings) dispositionOf(a Answer) Disposition {
	switch {
	case a.Disposition != 0:
		return a.Disposition
	case a.Err != nil:
		return s.disposition(a.Err)
	}
	return Keep
}

func (a Answer) kind() Kind {
	if a.Err != nil {
		return KindError
	}
	return KindValue
}

// withCause adds why fn's context ended, where that is why fn failed.
func (r *run) withCause(err error) error {
	if cause := r.lease.cause(); cause != nil && isContextError(err) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// complete stores an answer that is to be kept. Whatever it returns is what the store holds, except beside ErrNotStored.
func (r *run) complete(answer Answer, out Outcome) (Outcome, error) {
	grant, kind, err := r.store(answer, r.tryCompletion)
	switch {
	case err != nil:
		return out, r.notStored(err, answer.Err)
	case grant.Verdict == backend.Kept:
		return r.kept(out, kind), nil
	case grant.Verdict == backend.Replay:
		r.observe(Event{Kind: EventLost, Attempt: r.attempt, Code: CodeLeaseLost})
		return r.answered(grant)
	}
	r.observe(Event{Kind: EventLost, Attempt: r.attempt, Code: CodeLeaseLost})
	return Outcome{}, ErrLeaseLost
}

// tryCompletion sends a completion until the store has answered or the budget is spent.
func (r *run) tryCompletion(c backend.Completion) (backend.Grant, error) {
	sent := r.g.cache.now()
	grant, err := r.settle(func(ctx context.Context) (backend.Grant, error) {
		return r.g.store.Complete(ctx, r.claim.ID, r.claim.Token, c)
	})
	if err == nil && grant.Verdict == backend.Kept {
		r.rememberOwn(c, grant, sent)
	}
	return grant, err
}

// store sends the answer, or a tombstone where the answer cannot be kept; kind says which of them was sent last.
func (r *run) store(answer Answer, send func(backend.Completion) (backend.Grant, error)) (grant backend.Grant, kind EventKind, err error) {
	if answer.notEncodable != nil {
		r.observe(Event{Kind: EventNotEncodable, Attempt: r.attempt, Err: answer.notEncodable})
	}
	if !answer.TombstoneOnly && len(answer.Payload) <= r.s.maxResult {
		whole := envelope{kind: answer.kind(), codec: r.codec, payload: answer.Payload, room: answer.Room}
		grant, err = send(r.completion(whole))
		if !errors.Is(err, backend.ErrTooLarge) {
			return grant, EventCompleted, err
		}
	}
	small := envelope{kind: KindTombstone, codec: r.codec}
	if len(answer.Tombstone) <= maxTombstone {
		small.payload = answer.Tombstone
	}
	grant, err = send(r.completion(small))
	return grant, EventTombstoned, err
}

// kept is the outcome of a call whose own answer, or a tombstone of it, is stored.
func (r *run) kept(out Outcome, kind EventKind) Outcome {
	r.observe(Event{Kind: kind, Attempt: r.attempt})
	out.Kept = kind == EventCompleted
	return out
}

func (r *run) completion(e envelope) backend.Completion {
	return backend.Completion{Fingerprint: r.claim.Fingerprint, Answer: e.seal(), Retention: r.s.retention}
}

// release frees the record after an error that says nothing about an effect. If the store does not answer, the record
// stays claimed until its lease is over: later, but never wrong.
func (r *run) release() {
	grant, err := r.settle(func(ctx context.Context) (backend.Grant, error) {
		return r.g.store.Release(ctx, r.claim.ID, r.claim.Token)
	})
	r.gaveUp(EventReleased, grant, err)
}

// hold gives the record up and returns fn's error, joined by ErrNotStored if that could not be stored: the record may
// then be run again, which fn's caller must know.
func (r *run) hold(fnErr error) error {
	grant, err := r.settle(func(ctx context.Context) (backend.Grant, error) {
		return r.g.store.Hold(ctx, r.claim.ID, r.claim.Token, r.lease.noteText())
	})
	r.gaveUp(EventHeld, grant, err)
	if err != nil {
		return &NotStoredError{Err: err, FnErr: fnErr}
	}
	return fnErr
}

func (r *run) gaveUp(kind EventKind, grant backend.Grant, err error) {
	e := Event{Kind: kind, Attempt: r.attempt}
	switch {
	case err != nil:
		e.Kind, e.Code, e.Err = EventNotStored, CodeNotStored, err
	case grant.Verdict == backend.Lost:
		e.Kind, e.Code = EventLost, CodeLeaseLost
	}
	r.observe(e)
}

func (r *run) notStored(err, fnErr error) error {
	r.observe(Event{Kind: EventNotStored, Attempt: r.attempt, Code: CodeNotStored, Err: err})
	return &NotStoredError{Err: err, FnErr: fnErr}
}

func (r *asking) observe(e Event) {
	if r.g.observer == nil {
		return
	}
	e.Record, e.Elapsed = r.claim.ID.Short(), time.Since(loaded)-r.began
	r.g.observe(r.ctx, e)
}

func (r *asking) refused(err error) error {
	r.observe(Event{Kind: EventRefused, Code: CodeOf(err), Err: storeError(err)})
	return err
}

// refused reports a call that never had a record.
func (g *Guard) refused(ctx context.Context, err error) error {
	g.observe(ctx, Event{Kind: EventRefused, Code: CodeOf(err)})
	return err
}

// storeError returns err if it is the store's, for the observer: an error of the caller or of fn is not shown there.
func storeError(err error) error {
	if back := (*rollback)(nil); errors.As(err, &back) {
		return ErrConflict // the store found it in fn's own error
	}
	for _, ours := range []error{ErrUnavailable, ErrCorrupt, ErrVersion, ErrConflict, ErrCommitUnknown} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return nil
}
