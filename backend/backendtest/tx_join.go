package backendtest

import "github.com/idem-go/idem/backend"

func joinRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		txRule("Join is seen once the caller commits",
			"Join returns a store whose every call runs inside the caller's transaction. It does not commit it.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				tx := r.joined(own, "answer")
				r.effects(0)
				if i, ok := r.handles[1-own.handle].(backend.Inspector); ok {
					r.shows(i, own, backend.Absent)
				}
				r.ok("Commit", tx.Commit())
				r.effects(1)
				own.rival().replays("answer")
			}),
		txRule("Join is gone once the caller rolls back",
			"Join returns a store whose every call runs inside the caller's transaction. It does not roll it back.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				tx := r.joined(own, "answer")
				r.ok("Rollback", tx.Rollback())
				r.nothingRemains(own)
			}),
		txRule("T14 Join completes a claim that was made before",
			"As T5, inside the caller's transaction: Pending under token becomes Done with it.",
			func(r *txRig[Tx]) {
				undone, done := r.claimed(), r.claimed()
				r.ok("Rollback", r.completesJoined(undone, backend.Kept).Rollback())
				undone.rival().begins(backend.InFlight)
				undone.completes("answer", backend.Kept)
				r.ok("Commit", r.completesJoined(done, backend.Kept).Commit())
				done.rival().replays("joined answer")
			}),
		txRule("T14 Join tells a stale owner that his claim is lost",
			"As T5; lost: the whole transaction is rolled back, effect included, by the caller who is told.",
			func(r *txRig[Tx]) {
				own := r.claimed()
				r.advance(lease + minute)
				next := own.rival()
				next.begins(backend.Claimed)
				r.ok("Rollback", r.completesJoined(own, backend.Lost).Rollback())
				r.effects(0)
				next.completes("answer", backend.Kept)
			}),
		txRule("Join replays what is committed",
			"Join returns a store: Begin answers as everywhere.",
			func(r *txRig[Tx]) {
				own := r.done("answer")
				next := own.rival()
				tx, s := r.own(next)
				g, err := s.Begin(r.Context(), next.claim)
				r.answers("Begin", r.expect("Begin", g, err, backend.Replay), []byte("answer"))
				g, err = s.Begin(r.Context(), own.stranger().claim)
				r.expect("Begin", g, err, backend.Mismatch)
				r.ok("Commit", tx.Commit())
			}),
	}
}

// completesJoined makes an effect and completes inside a transaction of the caller's, which stays open.
func (r *txRig[Tx]) completesJoined(a *attempt, want backend.Verdict) Transaction[Tx] {
	r.Helper()
	tx, s := r.own(a)
	r.ok("the effect", r.tx.Effect(r.Context(), tx.Tx))
	g, err := s.Complete(r.Context(), a.claim.ID, a.claim.Token, a.completion([]byte("joined answer"), retention))
	r.expect("Complete in a joined transaction", g, err, want)
	return tx
}
