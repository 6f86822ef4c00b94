package backendtest

import (
	"context"
	"errors"
	"runtime"

	"github.com/idem-go/idem/backend"
)

func nestedRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("Nested keeps what went well",
			"Nested runs f under a savepoint.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
					return s.Nested(ctx, func(ctx context.Context) error { return r.work(own, "answer")(ctx, tx, s) })
				}, backend.Claimed)
				r.effects(1)
				own.rival().replays("answer")
			}),
		txRule("Nested rolls an error back to its savepoint",
			"Where f returns an error what was written inside f is rolled back to the savepoint and the transaction can go on.",
			func(r *txRig[Tx]) {
				r.nestedFails(func(ctx context.Context, s backend.TxStore, f func(context.Context) error) {
					err := s.Nested(ctx, func(ctx context.Context) error { return errors.Join(f(ctx), errRun) })
					if !errors.Is(err, errRun) {
						r.Fatalf("Nested returned %v, want f's error", err)
					}
				})
			}),
		txRule("Nested rolls a panic back to its savepoint",
			"Where f panics what was written inside f is rolled back to the savepoint and the transaction can go on.",
			func(r *txRig[Tx]) {
				r.nestedFails(func(ctx context.Context, s backend.TxStore, f func(context.Context) error) {
					value := recovered(func() {
						_ = s.Nested(ctx, func(ctx context.Context) error {
							r.ok("the body", f(ctx))
							panic(errRun)
						})
					})
					if value != errRun {
						r.Fatalf("the panic out of Nested is %v, want f's", value)
					}
				})
			}),
		txRule("Nested rolls an exit back to its savepoint",
			"Where f exits (runtime.Goexit) what was written inside f is rolled back and the transaction can go on.",
			func(r *txRig[Tx]) { r.nestedExits() }),
		txRule("Nested rolls a claim back to its savepoint",
			"What was written inside f is rolled back to the savepoint: a claim made there is free again.",
			func(r *txRig[Tx]) {
				own, inner := r.attempt(), r.attempt()
				r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
					err := s.Nested(ctx, func(ctx context.Context) error {
						g, err := s.Begin(ctx, inner.claim)
						r.expect("Begin inside Nested", g, err, backend.Claimed)
						return errRun
					})
					if !errors.Is(err, errRun) {
						r.Fatalf("Nested returned %v, want f's error", err)
					}
					return r.work(own, "answer")(ctx, tx, s)
				}, backend.Claimed)
				inner.stranger().claims(1)
				own.rival().replays("answer")
			}),
	}
}

// nestedFails works inside a Nested that fails as fail has it, and then again outside: only that is to remain.
func (r *txRig[Tx]) nestedFails(fail func(context.Context, backend.TxStore, func(context.Context) error)) {
	r.Helper()
	own := r.attempt()
	r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
		fail(ctx, s, func(ctx context.Context) error { return r.work(own, "inner answer")(ctx, tx, s) })
		return r.work(own, "outer answer")(ctx, tx, s)
	}, backend.Claimed)
	r.effects(1)
	own.rival().replays("outer answer")
}

// nestedExits has a Nested end its goroutine, and goes on with the transaction on this one.
func (r *txRig[Tx]) nestedExits() {
	r.Helper()
	own := r.attempt()
	tx, s := r.own(own)
	g, err := s.Begin(r.Context(), own.claim)
	r.expect("Begin in a joined transaction", g, err, backend.Claimed)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Nested(r.Context(), func(ctx context.Context) error {
			return r.then(own, func() error { runtime.Goexit(); return nil })(ctx, tx.Tx, s)
		})
	}()
	<-ended
	r.ok("working after a Nested that exited", r.work(own, "outer answer")(r.Context(), tx.Tx, s))
	r.ok("Commit", tx.Commit())
	r.effects(1)
	own.rival().replays("outer answer")
}
