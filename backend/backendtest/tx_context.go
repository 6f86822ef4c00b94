package backendtest

import (
	"context"
	"errors"

	"github.com/idem-go/idem/backend"
)

func txContextRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("a context that ends while run runs rolls everything back",
			"While run runs, ctx ending ends the transaction.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				_, err := r.inTx(ctx, own, r.then(own, func() error { cancel(); return nil }))
				if err == nil {
					r.Fatalf("InTx returned no error though its context ended while run ran")
				}
				r.nothingRemains(own)
			}),
		txRule("a context that ended before claims nothing",
			"Methods obey ctx: InTx returns an error and does not call run.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				_, err := r.inTx(r.ended(), own, r.never)
				r.refused("InTx", err)
				r.nothingRemains(own)
			}),
		txRule("a context that ends after run returned undoes nothing",
			"Once run returned nil, ctx ending does not end the transaction.",
			func(r *txRig[Tx]) {
				if r.tx.BeforeCommit == nil {
					r.Logf("skipped: the harness cannot reach the moment before a COMMIT")
					return
				}
				own := r.attempt()
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				r.tx.BeforeCommit(r.TB, cancel)
				g, err := r.inTx(ctx, own, r.work(own, "answer"))
				r.expect("InTx", g, err, backend.Claimed)
				if ctx.Err() == nil {
					r.Fatalf("the harness's BeforeCommit did not call its function")
				}
				r.effects(1)
				own.rival().replays("answer")
			}),
		txRule("a context that ends with run leaves all or nothing",
			"What InTx returns and what remains agree, whenever ctx ends.",
			func(r *txRig[Tx]) {
				for range r.harness.Rounds {
					r.allOrNothing()
				}
			}),
	}
}

// allOrNothing ends the context at about the moment in which run returns.
func (r *txRig[Tx]) allOrNothing() {
	r.Helper()
	before := r.tx.Effects(r.TB)
	own := r.attempt()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	leave := make(chan struct{})
	go func() {
		select {
		case <-leave:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err := r.inTx(ctx, own, r.then(own, func() error { close(leave); return nil }))
	switch {
	case err == nil:
		r.effects(before + 1)
		own.rival().replays("answer")
	case errors.Is(err, backend.ErrCommitUnknown):
		r.Logf("a COMMIT had no answer; nothing can be said")
	default:
		r.effects(before)
		own.lost()
	}
}
