package backendtest

import (
	"context"
	"errors"

	"github.com/idem-go/idem/backend"
)

var pruneRules = []Rule{
	offered("T12 pruning removes what expired",
		"Prune goes once over all records of the store, of every guard: expired ones become Absent.",
		func(r *rig, p backend.Pruner) {
			done, abandoned, other := r.done("answer"), r.claimed(), r.attemptOn(r.guard+"-b", "user", "key")
			other.begins(backend.Claimed)
			r.advance(lease + retention + minute)
			stats := r.prune(p)
			if stats.Removed != 3 && !r.harness.SelfExpiring {
				r.Fatalf("Prune removed %d records, want 3", stats.Removed)
			}
			if stats = r.prune(p); stats.Removed != 0 || stats.Held != 0 {
				r.Fatalf("a second Prune removed %d and held %d records, want none", stats.Removed, stats.Held)
			}
			done.rival().claims(1)
			abandoned.rival().claims(1)
			other.rival().claims(1)
		}),
	offered("T12 pruning leaves what is alive",
		"The conditions stand in the write itself: what is not due stays as it is, beside what is.", leavesAlive),
	offered("T12 pruning makes an abandoned claim that holds Unknown",
		"Pending ones that hold and whose lease is over become Unknown.",
		func(r *rig, p backend.Pruner) {
			own := r.claimedHolding()
			r.advance(lease + minute)
			if stats := r.prune(p); stats.Held != 1 || stats.Removed != 0 {
				r.Fatalf("Prune held %d and removed %d records, want 1 and 0", stats.Held, stats.Removed)
			}
			own.renews(backend.Lost)
			own.rival().begins(backend.Held)
			own.holds("", backend.Kept)
		}),
	offered("T12 pruning never removes an Unknown record",
		"Unknown is never pruned.",
		func(r *rig, p backend.Pruner) {
			own, lapsed := r.held(), r.claimedHolding()
			r.done("answer") // is due
			r.advance(ages)
			r.prune(p)
			r.advance(ages)
			r.prune(p)
			own.rival().begins(backend.Held)
			lapsed.rival().begins(backend.Held)
		}),
	offered("T12 pruning obeys its context and goes on later",
		"When ctx ends it returns what it did so far and ctx's cause; a later call goes on from there.",
		func(r *rig, p backend.Pruner) {
			const expired = 20
			for range expired {
				r.done("answer")
			}
			r.advance(retention + minute)
			left := errors.New("the pruner was told to stop")
			ctx, cancel := context.WithCancelCause(r.Context())
			cancel(left)
			total, err := p.Prune(ctx)
			if !errors.Is(err, left) {
				r.Fatalf("Prune with a context that has ended returned %v, want its cause", err)
			}
			for range 2 {
				total.Add(r.prune(p))
			}
			if total.Removed != expired && !r.harness.SelfExpiring {
				r.Fatalf("Prune removed %d records in all, want %d", total.Removed, expired)
			}
		}),
	offered("T12 pruning spares a record that changes meanwhile",
		"The conditions stand in the write itself, so a record that changes meanwhile is safe.",
		func(r *rig, p backend.Pruner) {
			for range r.harness.Rounds {
				r.pruneAmongClaims(p)
			}
		}),
}

func (r *rig) prune(p backend.Pruner) backend.PruneStats {
	r.Helper()
	stats, err := p.Prune(r.Context())
	if err != nil {
		r.Fatalf("Prune failed: %v", err)
	}
	return stats
}

// leavesAlive prunes records that are alive beside some that are due, since a store may write only where it has found such.
func leavesAlive(r *rig, p backend.Pruner) {
	expired := r.done("old answer")
	r.advance(retention + minute)
	lapsed, abandoned, kept := r.claimed(), r.claimedHolding(), r.claimedHolding()
	kept.completes("answer", backend.Kept)
	r.advance(lease + minute)
	live, holding, done, held := r.claimed(), r.claimedHolding(), r.done("answer"), r.held()
	if stats := r.prune(p); stats.Removed > 1 || stats.Removed < 1 && !r.harness.SelfExpiring || stats.Held != 1 {
		r.Fatalf("Prune removed %d and held %d records, want 1 and 1", stats.Removed, stats.Held)
	}
	live.rival().begins(backend.InFlight)
	live.completes("answer", backend.Kept)
	holding.completes("answer", backend.Kept)
	lapsed.stranger().begins(backend.Mismatch)
	lapsed.completes("answer", backend.Kept)
	done.rival().replays("answer")
	kept.rival().replays("answer")
	held.rival().begins(backend.Held)
	abandoned.rival().begins(backend.Held)
	expired.rival().claims(1)
}

// pruneAmongClaims prunes while expired records are claimed anew: no new claim may go with the old answer.
func (r *rig) pruneAmongClaims(p backend.Pruner) {
	r.Helper()
	next := make([]*attempt, r.harness.Width)
	for i := range next {
		next[i] = r.done("old answer").rival()
	}
	r.advance(retention + minute)
	r.together(len(next)+2, func(i int) (backend.Grant, error) {
		if i >= len(next) {
			_, err := p.Prune(r.Context())
			return backend.Grant{}, err
		}
		return next[i].store().Begin(r.Context(), next[i].claim)
	})
	for _, a := range next {
		a.completes("answer", backend.Kept)
	}
}
