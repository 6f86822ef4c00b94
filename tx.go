package idem

import (
	"context"
	"fmt"
	"reflect"

	"github.com/idem-go/idem/backend"
)

// DoTx is Do inside a transaction of the guard's store: effect, claim and answer commit together, so fn's effect happens
// exactly as often as it has an answer. Tx is the transaction type that the store offers (*sqlx.Tx for backend/sql); the
// guard must have the guarantee Tx. It may be called concurrently.
//
// fn writes through tx alone and neither commits nor rolls back. A plain error, a panic or a crash rolls everything back.
// Final rolls fn's writes back and then stores the error as the answer; Uncertain likewise rolls back and then holds. To
// keep writes together with a refusal, return the refusal as a value. Where the database rolls the transaction back in
// favour of another, the whole is run again, at most 10 times: fn must have no effect outside the transaction.
//
// A duplicate of a call that is still uncommitted gets ErrInFlight at once, wherever the database can tell. So may another
// request under the same key, since what it would be compared with is not visible yet: it gets ErrMismatch once the first
// has committed.
//
// Errors: those of Do, ErrNoTransactions, ErrConflict and ErrCommitUnknown.
func DoTx[Tx, Req, Resp any](ctx context.Context, g *Guard, key Key, user User, req Req,
	fn func(context.Context, Tx, Req) (Resp, error), opts ...CallOption,
) (Resp, error) {
	res, err := DoTxResult(ctx, g, key, user, req, fn, opts...)
	return res.Value, err
}

// DoTxResult is DoTx for callers who want to know more about the answer.
func DoTxResult[Tx, Req, Resp any](ctx context.Context, g *Guard, key Key, user User, req Req,
	fn func(context.Context, Tx, Req) (Resp, error), opts ...CallOption,
) (Result[Resp], error) {
	store, typed, err := prepareTx[Tx, Req, Resp](g, req, fn != nil, opts)
	if err != nil {
		return Result[Resp]{}, err
	}
	var current Tx
	t := &transaction{settle: store.Settle}
	t.in = func(ctx context.Context, c backend.Claim, body func(context.Context, backend.TxStore) error) (backend.Grant, error) {
		return store.InTx(ctx, c, func(ctx context.Context, tx Tx, s backend.TxStore) error {
			current = tx
			return body(ctx, s)
		})
	}
	call := typed.call(key, user, func(ctx context.Context) Answer { return typed.answer(fn(ctx, current, req)) })
	return typed.result(g.execTx(ctx, typed.s, call, t))
}

// JoinTx is DoTx inside a transaction of the caller's own, who commits: the answer counts once his Commit succeeded, and
// if he rolls back nothing happened. READ COMMITTED is expected. It is for the goroutine that uses the transaction.
//
// fn runs under a savepoint: a plain error rolls back to it and removes the claim; Final and Uncertain roll back to it
// and store the error, or hold, in the caller's transaction. JoinTx never runs anything again and never waits: on
// ErrConflict the caller rolls back and repeats his transaction.
//
// Errors: those of Do, ErrNoTransactions, and ErrConflict.
func JoinTx[Tx, Req, Resp any](ctx context.Context, g *Guard, tx Tx, key Key, user User, req Req,
	fn func(context.Context, Tx, Req) (Resp, error), opts ...CallOption,
) (Resp, error) {
	res, err := JoinTxResult(ctx, g, tx, key, user, req, fn, opts...)
	return res.Value, err
}

// JoinTxResult is JoinTx for callers who want to know more about the answer.
func JoinTxResult[Tx, Req, Resp any](ctx context.Context, g *Guard, tx Tx, key Key, user User, req Req,
	fn func(context.Context, Tx, Req) (Resp, error), opts ...CallOption,
) (Result[Resp], error) {
	store, typed, err := prepareTx[Tx, Req, Resp](g, req, fn != nil, opts)
	if err != nil {
		return Result[Resp]{}, err
	}
	joined, err := store.Join(tx)
	if err != nil {
		return Result[Resp]{}, fmt.Errorf("%w: %w", ErrNoTransactions, err)
	}
	call := typed.call(key, user, func(ctx context.Context) Answer { return typed.answer(fn(ctx, tx, req)) })
	return typed.result(g.execJoined(ctx, typed.s, call, joined))
}

// prepareTx returns the store as the transactor that the call asks for, and the call.
func prepareTx[T, Req, Resp any](g *Guard, req Req, hasFn bool, opts []CallOption) (backend.Transactor[T], *typedCall[Resp], error) {
	if err := g.ready(); err != nil {
		return nil, nil, err
	}
	if g.defaults.guarantee != Tx {
		return nil, nil, wrongGuarantee("DoTx and JoinTx", g)
	}
	store, ok := g.store.(backend.Transactor[T])
	if !ok {
		return nil, nil, fmt.Errorf("%w: the call wants %v, the store %T offers %v",
			ErrNoTransactions, reflect.TypeFor[T](), g.store, transactionType(g.store))
	}
	s, err := g.with(opts)
	if err != nil {
		return nil, nil, err
	}
	typed, err := newTypedCall[Req, Resp](s, req, hasFn)
	return store, typed, err
}

func wrongGuarantee(call string, g *Guard) error {
	return fmt.Errorf("%w: %s on a guard whose guarantee is %v", ErrWrongGuarantee, call, g.defaults.guarantee)
}

// transactionType returns the Tx of the backend.Transactor[Tx] that store is, or nil.
func transactionType(store backend.Store) reflect.Type {
	inTx, ok := reflect.TypeOf(store).MethodByName("InTx")
	if !ok || inTx.Type.NumIn() != 4 || inTx.Type.In(3).Kind() != reflect.Func || inTx.Type.In(3).NumIn() != 3 {
		return nil
	}
	return inTx.Type.In(3).In(1)
}
