package backendtest

import (
	"context"
	"errors"
	"sync"

	"github.com/idem-go/idem/backend"
)

func duplicateRules[Tx any]() []TxRule[Tx] {
	return []TxRule[Tx]{
		twoWriters("a duplicate of a transaction is in flight at once",
			"A duplicate whose first run is still uncommitted gets InFlight at once and does not wait for it.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
					soon, cancel := context.WithTimeout(r.Context(), r.harness.Patience)
					defer cancel()
					g, err := r.inTx(soon, own.rival(), r.never)
					r.expect("InTx of a duplicate", g, err, backend.InFlight)
					return r.work(own, "answer")(ctx, tx, s)
				}, backend.Claimed)
				own.rival().replays("answer")
				r.effects(1)
			}),
		twoWriters("a duplicate of a joined transaction is in flight at once",
			"A duplicate whose first run is still uncommitted gets InFlight at once, joined or not.",
			func(r *txRig[Tx]) {
				own := r.attempt()
				first := r.joined(own, "answer")
				next := own.rival()
				second, s := r.own(next)
				soon, cancel := context.WithTimeout(r.Context(), r.harness.Patience)
				defer cancel()
				g, err := s.Begin(soon, next.claim)
				r.expect("Begin of a duplicate", g, err, backend.InFlight)
				r.ok("Rollback", second.Rollback())
				r.ok("Commit", first.Commit())
				next.replays("answer")
			}),
		twoWriters("a duplicate of a takeover in a transaction is in flight at once",
			"A duplicate of a transaction that writes over a lapsed claim is InFlight too, and does not wait for it.",
			func(r *txRig[Tx]) {
				lapsed := r.claimed()
				r.advance(lease + minute)
				own := lapsed.rival()
				r.runs(own, func(ctx context.Context, tx Tx, s backend.TxStore) error {
					soon, cancel := context.WithTimeout(r.Context(), r.harness.Patience)
					defer cancel()
					g, err := r.inTx(soon, own.rival(), r.never)
					r.expect("InTx of a duplicate", g, err, backend.InFlight)
					return r.work(own, "answer")(ctx, tx, s)
				}, backend.Claimed)
				lapsed.completes("late", backend.Replay)
				own.rival().replays("answer")
				r.effects(1)
			}),
		twoWriters("transactions of other records do not wait",
			"A transaction keeps nobody but its duplicates waiting.",
			func(r *txRig[Tx]) {
				first, second := r.attempt(), r.attempt()
				second.handle = 1
				open := r.joined(first, "first")
				soon, cancel := context.WithTimeout(r.Context(), r.harness.Patience)
				defer cancel()
				g, err := r.inTx(soon, second, r.work(second, "second"))
				r.expect("InTx of another record", g, err, backend.Claimed)
				r.ok("Commit", open.Commit())
				r.effects(2)
			}),
		txRule("of simultaneous transactions one runs",
			"Of any number of simultaneous calls with different tokens at most one is Claimed, and has its effect.",
			func(r *txRig[Tx]) {
				for round := range r.harness.Rounds {
					r.oneRuns(r.attempt().rivals(r.harness.Width))
					r.effects(round + 1)
				}
			}),
	}
}

// oneRuns has all attempts run at once. A database with one writer may turn some away.
func (r *txRig[Tx]) oneRuns(all []*attempt) {
	r.Helper()
	claimed, failed := 0, error(nil)
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, a := range all {
		store := r.transactor(a.handle)
		group.Go(func() {
			g, err := r.patiently(store, a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			} else if g.Verdict == backend.Claimed {
				claimed++
			}
		})
	}
	group.Wait()
	if failed != nil && !r.tx.OneWriter {
		r.Fatalf("one of %d simultaneous transactions failed: %v", len(all), failed)
	}
	if claimed != 1 {
		r.Fatalf("%d of %d simultaneous transactions were Claimed, want 1", claimed, len(all))
	}
}

// patiently runs again what the database rolled back in favour of another, as idem does.
func (r *txRig[Tx]) patiently(store backend.Transactor[Tx], a *attempt) (g backend.Grant, err error) {
	for range 10 {
		g, err = store.InTx(r.Context(), a.claim, r.then(a, func() error { return nil }))
		if !errors.Is(err, backend.ErrConflict) {
			break
		}
	}
	return g, err
}
