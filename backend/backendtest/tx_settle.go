package backendtest

import (
	"context"
	"errors"
	"time"

	"github.com/idem-go/idem/backend"
)

func settleRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("Settle finds a committed transaction",
			"Kept: the record is under token, with its answer if it is Done.",
			func(r *txRig[Tx]) {
				done, pending := r.attempt(), r.claimed()
				r.runs(done, r.work(done, "answer"), backend.Claimed)
				r.answers("Settle", r.settles(done.again(), backend.Kept), []byte("answer"))
				r.answers("Settle", r.settles(pending.again(), backend.Kept), nil)
			}),
		txRule("Settle finds that a transaction was rolled back",
			"Lost: the record is not under token, so the transaction was rolled back and may be run again.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				_, err := r.inTx(r.Context(), own, r.then(own, func() error { return errRun }))
				if !errors.Is(err, errRun) {
					r.Fatalf("InTx returned %v, want run's error", err)
				}
				r.settles(own.again(), backend.Lost)
				next := own.rival()
				r.runs(next, r.work(next, "answer"), backend.Claimed)
				r.answers("Settle", r.settles(own, backend.Lost), nil)
			}),
		txRule("Settle waits for the transaction's end",
			"It waits, as long as ctx allows, until the transaction is surely over. An error: not settled in time.",
			func(r *txRig[Tx]) {
				for _, commits := range []bool{true, false} {
					r.settlesAfter(commits)
				}
			}),
	}
}

func (r *txRig[Tx]) settles(a *attempt, want backend.Verdict) backend.Grant {
	r.Helper()
	g, err := r.transactor(a.handle).Settle(r.Context(), a.claim.ID, a.claim.Token)
	return r.expect("Settle", g, err, want)
}

// settlesAfter asks about a transaction that is open, and again once it has ended. To say Lost meanwhile is to have the
// effect made twice.
func (r *txRig[Tx]) settlesAfter(commits bool) {
	r.Helper()
	own := r.attempt()
	open := r.joined(own, "answer")
	soon, cancel := context.WithTimeout(r.Context(), 200*time.Millisecond)
	defer cancel()
	g, err := r.transactor(1-own.handle).Settle(soon, own.claim.ID, own.claim.Token)
	if err == nil {
		r.Fatalf("Settle answered %s while the transaction was open, want an error when its context ends", g.Verdict)
	}
	if commits {
		r.ok("Commit", open.Commit())
		r.settles(own.again(), backend.Kept)
		return
	}
	r.ok("Rollback", open.Rollback())
	r.settles(own.again(), backend.Lost)
}
