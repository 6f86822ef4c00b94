package idem

import (
	"context"
	"fmt"
	"time"

	"github.com/idem-go/idem/backend"
)

// Guard is a named set of records in one store, with the defaults of its calls. It is made by New and safe for
// concurrent use; a program needs one per kind of write, for its whole life. The zero Guard returns an error from every
// method.
type Guard struct {
	name     string
	store    backend.Store
	defaults settings
	policy   func(Key) error
	observer Observer
	rooms    rooms

	nurseries nurseries
	cache     *answerCache // nil without CacheAnswers
}

// New returns a guard. The name, 1 to 64 characters of a-z, 0-9, dot, underscore and hyphen, is part of every record's
// identity: two guards never answer for each other, and a guard that is renamed forgets. Every option is checked; a wrong
// one is an *OptionError that names it.
func New(name string, store backend.Store, opts ...GuardOption) (*Guard, error) {
	if err := checkGuardName(name); err != nil {
		return nil, err
	}
	if store == nil {
		return nil, optionError("store", "it is nil")
	}
	g := &Guard{name: name, store: store, defaults: defaults()}
	for _, o := range opts {
		if o == nil {
			return nil, optionError("GuardOption", "it is nil")
		}
		if err := o.applyGuard(g); err != nil {
			return nil, err
		}
	}
	if err := g.defaults.check(); err != nil {
		return nil, err
	}
	if g.defaults.guarantee == Tx {
		if offered := transactionType(store); offered == nil {
			return nil, fmt.Errorf("%w: a Tx guard needs a store with transactions, %T has none", ErrNoTransactions, store)
		}
	}
	return g, nil
}

// Must returns v, or panics on err. It is for package variables, where a configuration error has nowhere else to go.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Name returns the guard's name.
func (g *Guard) Name() string { return g.name }

// Guarantee returns what the guard promises.
func (g *Guard) Guarantee() Guarantee { return g.defaults.guarantee }

// Do runs fn once for (guard, key, user), stores its answer and returns it; every later call with the same key, user and
// request gets the stored answer without running fn. It may be called concurrently, from any number of processes.
//
// The request is fingerprinted before fn runs: the same key with another request is ErrMismatch. fn runs on the caller's
// goroutine, under a lease that is renewed meanwhile; its context is cancelled, with the cause, when the claim is lost
// (ErrLeaseLost) or MaxRun is over (ErrMaxRun). Whatever happens to ctx, the answer of an fn that returned is stored.
//
// What fn returns decides what is kept. A value is stored and replays; the first caller too gets the decoded copy. An
// error releases the record, or holds it under a Hold guard, and comes out as it is; Final, Uncertain, Undone and OnError
// say otherwise.
//
// Errors: ErrMissingKey, ErrInvalidKey, ErrMissingUser, ErrInvalidUser, ErrInvalidRequest, ErrMismatch, ErrInFlight,
// ErrUnknownOutcome, ErrLeaseLost, ErrNotStored (the value is returned beside it), ErrAnswerNotKept, ErrReentrant,
// ErrCorrupt, ErrVersion, ErrUnavailable, ErrWrongGuarantee, an *OptionError, the cause of ctx, and what fn returned.
func Do[Req, Resp any](ctx context.Context, g *Guard, key Key, user User, req Req,
	fn func(context.Context, Req) (Resp, error), opts ...CallOption,
) (Resp, error) {
	res, err := DoResult(ctx, g, key, user, req, fn, opts...)
	return res.Value, err
}

// Result is an answer and where it comes from.
type Result[Resp any] struct {
	Value    Resp
	Replayed bool          // it is the answer of another attempt
	Attempt  int           // the attempt that gave it, from 1
	Age      time.Duration // how long ago it was stored, on the store's clock; 0 for the caller's own
	Kept     bool          // it is stored and replays; false where only a tombstone, or nothing, could be stored
}

// DoResult is Do for callers who want to know more about the answer.
func DoResult[Req, Resp any](ctx context.Context, g *Guard, key Key, user User, req Req,
	fn func(context.Context, Req) (Resp, error), opts ...CallOption,
) (Result[Resp], error) {
	s, err := g.prepare(opts)
	if err != nil {
		return Result[Resp]{}, err
	}
	return doResult(ctx, g, s, key, user, req, fn)
}

func doResult[Req, Resp any](ctx context.Context, g *Guard, s *settings, key Key, user User, req Req,
	fn func(context.Context, Req) (Resp, error),
) (Result[Resp], error) {
	typed, err := newTypedCall[Req, Resp](s, req, fn != nil)
	if err != nil {
		return Result[Resp]{}, err
	}
	call := typed.call(key, user, func(ctx context.Context) Answer { return typed.answer(fn(ctx, req)) })
	return typed.result(g.exec(ctx, &typed.slot, s, call))
}

// ready says whether the guard was made by New.
func (g *Guard) ready() error {
	if g == nil || g.store == nil {
		return optionError("Guard", "a guard is made by New; this one is nil or zero")
	}
	return nil
}

func checkGuardName(name string) error {
	if len(name) < 1 || len(name) > 64 {
		return optionError("name", "a guard's name has 1 to 64 characters, this one has %d", len(name))
	}
	for _, c := range []byte(name) {
		lower, digit := c >= 'a' && c <= 'z', c >= '0' && c <= '9'
		if !lower && !digit && c != '.' && c != '_' && c != '-' {
			return optionError("name", "%q: a guard's name is made of a-z, 0-9, dot, underscore and hyphen", name)
		}
	}
	return nil
}
