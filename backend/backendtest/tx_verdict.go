package backendtest

import (
	"context"

	"github.com/idem-go/idem/backend"
)

func verdictRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("T9 a replay does not run",
			"Where run was not called InTx returns the verdict that was in the way: Replay, with the answer.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				r.runs(own, r.work(own, "answer"), backend.Claimed)
				g := r.runs(own.rival(), r.never, backend.Replay)
				r.answers("InTx", g, []byte("answer"))
				r.effects(1)
			}),
		txRule("T10 a mismatch does not run",
			"Where run was not called InTx returns the verdict that was in the way: Mismatch.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				r.runs(own, r.work(own, "answer"), backend.Claimed)
				r.runs(own.stranger(), r.never, backend.Mismatch)
				own.rival().replays("answer")
			}),
		txRule("T11 a claim in flight does not run",
			"Where run was not called InTx returns the verdict that was in the way: InFlight.",
			func(r *txRig[Tx]) {
				own := r.claimed()
				r.runs(own.rival(), r.never, backend.InFlight)
				own.completes("answer", backend.Kept)
			}),
		txRule("a held record does not run",
			"Where run was not called InTx returns the verdict that was in the way: Held.",
			func(r *txRig[Tx]) {
				r.runs(r.held().rival(), r.never, backend.Held)
			}),
		txRule("T2 a transaction takes a lapsed claim over",
			"Where Begin's rules say Claimed it calls run: a takeover, its attempt one higher.",
			func(r *txRig[Tx]) {
				own := r.claimed()
				r.advance(lease + minute)
				next := own.rival()
				if g := r.runs(next, r.work(next, "answer"), backend.Claimed); g.Attempt != 2 {
					r.Fatalf("InTx was Claimed as attempt %d, want 2", g.Attempt)
				}
				r.answers("Complete by a stale owner", own.completes("stale", backend.Replay), []byte("answer"))
			}),
	}
}

func insideRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("a transaction sees its own claim",
			"TxStore is a Store inside one transaction: Begin under its own token is Claimed again.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
					g, err := s.Begin(ctx, own.claim)
					r.expect("Begin, sent again inside the transaction,", g, err, backend.Claimed)
					if g.Attempt != 1 {
						r.Fatalf("Begin, sent again inside the transaction, is attempt %d, want 1", g.Attempt)
					}
					return r.work(own, "answer")(ctx, tx, s)
				}, backend.Claimed)
				own.rival().replays("answer")
			}),
		txRule("a transaction may hold or release its record",
			"TxStore is a Store inside one transaction: Hold and Release commit with it.",
			func(r *txRig[Tx]) {
				held, released := r.attempt(), r.attempt()
				r.runs(held, func(ctx context.Context, _ Tx, s backend.TxStore) error {
					_, err := s.Hold(ctx, held.claim.ID, held.claim.Token, "")
					return err
				}, backend.Claimed)
				held.rival().begins(backend.Held)
				r.runs(released, func(ctx context.Context, _ Tx, s backend.TxStore) error {
					_, err := s.Release(ctx, released.claim.ID, released.claim.Token)
					return err
				}, backend.Claimed)
				released.stranger().claims(1)
			}),
	}
}
