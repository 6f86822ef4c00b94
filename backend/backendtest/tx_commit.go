package backendtest

import (
	"context"
	"errors"
	"runtime"

	"github.com/idem-go/idem/backend"
)

// errRun is what a transaction's body returns to have it rolled back.
var errRun = errors.New("backendtest: the body gave up")

func commitRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("T14 effect, claim and answer commit together",
			"If run returns nil it commits and returns Claimed.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				g := r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
					err := r.work(own, "answer")(ctx, tx, s)
					r.effects(0)
					return err
				}, backend.Claimed)
				if g.Attempt != 1 {
					r.Fatalf("InTx was Claimed as attempt %d, want 1", g.Attempt)
				}
				r.effects(1)
				own.rival().replays("answer")
			}),
		txRule("T14 a transaction that stores no answer commits its claim",
			"If run returns nil it commits, whatever run did with the record.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				r.runs(own, func(ctx context.Context, tx Tx, _ backend.TxStore) error { return r.tx.Effect(ctx, tx) }, backend.Claimed)
				r.effects(1)
				own.rival().begins(backend.InFlight)
				own.completes("answer", backend.Kept)
			}),
	}
}

func rollbackRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("T14 an error rolls everything back",
			"Where run returned an error nothing of the transaction remains and run's own error comes out.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				_, err := r.inTx(r.Context(), own, r.then(own, func() error { return errRun }))
				if !errors.Is(err, errRun) {
					r.Fatalf("InTx returned %v, want run's error", err)
				}
				r.nothingRemains(own)
			}),
		txRule("T14 a panic rolls everything back",
			"Where run panicked nothing of the transaction remains and run's own panic comes out.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				value := recovered(func() {
					_, _ = r.inTx(r.Context(), own, r.then(own, func() error { panic(errRun) }))
				})
				if value != errRun {
					r.Fatalf("the panic out of InTx is %v, want run's", value)
				}
				r.nothingRemains(own)
			}),
		txRule("T14 an exit rolls everything back",
			"Where run exited (runtime.Goexit) nothing of the transaction remains and the goroutine ends.",
			func(r *txRig[Tx]) {
				own, returned, ended := r.attempt(), false, make(chan struct{})
				go func() {
					defer close(ended)
					_, _ = r.inTx(r.Context(), own, r.then(own, func() error { runtime.Goexit(); return nil }))
					returned = true
				}()
				<-ended
				if returned {
					r.Fatalf("InTx returned though run ended the goroutine")
				}
				r.nothingRemains(own)
			}),
		txRule("T2 a takeover that is rolled back gives the claim back",
			"Where run returned an error nothing of the transaction remains: the claim is the old owner's again.",
			func(r *txRig[Tx]) {
				own := r.claimed()
				r.advance(lease + minute)
				next := own.rival()
				_, err := r.inTx(r.Context(), next, r.then(next, func() error { return errRun }))
				if !errors.Is(err, errRun) {
					r.Fatalf("InTx returned %v, want run's error", err)
				}
				own.completes("answer", backend.Kept)
			}),
	}
}

// then works and ends as end does. It may run on a goroutine that Fatalf must not end, so it fails by its error.
func (r *txRig[Tx]) then(a *attempt, end func() error) body[Tx] {
	return func(ctx context.Context, tx Tx, s backend.TxStore) error {
		if err := r.tx.Effect(ctx, tx); err != nil {
			return err
		}
		if _, err := s.Complete(ctx, a.claim.ID, a.claim.Token, a.completion([]byte("answer"), retention)); err != nil {
			return err
		}
		return end()
	}
}

// nothingRemains checks that a first run left nothing behind, and that the next one finds a free way.
func (r *txRig[Tx]) nothingRemains(own *attempt) {
	r.Helper()
	r.effects(0)
	own.lost()
	next := own.stranger()
	if g := r.runs(next, r.work(next, "answer"), backend.Claimed); g.Attempt != 1 {
		r.Fatalf("after a rollback InTx was Claimed as attempt %d, want 1", g.Attempt)
	}
	r.effects(1)
	next.rival().replays("answer")
}

// recovered returns what f panics with.
func recovered(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
