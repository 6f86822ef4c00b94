package backendtest

import (
	"errors"

	"github.com/idem-go/idem/backend"
)

var resolveRules = []Rule{
	offered("T13 Resolve gives an Unknown record an answer",
		"Resolve gives the record that ref points at an answer: Unknown becomes Done. Kept.",
		func(r *rig, i backend.Inspector) {
			own := r.held()
			r.advance(ages)
			r.resolves(i, r.lookup(i, own).Ref, "resolved", backend.Kept)
			own.rival().replays("resolved")
			own.stranger().begins(backend.Mismatch)
			r.advance(retention + minute)
			own.rival().claims(1)
		}),
	offered("T13 after Resolve the old attempt is told the answer",
		"Whatever any caller is told equals the stored answer: Complete after Resolve stores nothing.",
		func(r *rig, i backend.Inspector) {
			own := r.held()
			r.resolves(i, r.lookup(i, own).Ref, "resolved", backend.Kept)
			g, err := own.store().Complete(r.Context(), own.claim.ID, own.claim.Token, own.completion([]byte("late"), retention))
			if err != nil || g.Verdict != backend.Kept && g.Verdict != backend.Replay {
				r.Fatalf("Complete answered %s, %v; want Kept or Replay", g.Verdict, err)
			}
			r.answers("Complete", g, []byte("resolved"))
			own.rival().replays("resolved")
		}),
	offered("T13 Resolve misses a later record",
		"Resolve: Lost, and nothing changes, if ref's claim is not Unknown any more, be there another under the same key.",
		func(r *rig, i backend.Inspector) {
			shown, next := r.laterRecord(i)
			r.resolves(i, shown, "for the first record", backend.Lost)
			next.rival().begins(backend.Held)
		}),
	offered("T13 Resolve of what is not Unknown is lost",
		"Resolve: Lost, and nothing changes, if ref's claim is not Unknown.",
		func(r *rig, i backend.Inspector) {
			pending, done, resolved := r.claimed(), r.done("answer"), r.held()
			r.resolves(i, r.lookup(i, pending).Ref, "resolved", backend.Lost)
			pending.completes("answer", backend.Kept)
			r.resolves(i, r.lookup(i, done).Ref, "resolved", backend.Lost)
			done.rival().replays("answer")
			ref := r.lookup(i, resolved).Ref
			r.resolves(i, ref, "first", backend.Kept)
			r.resolves(i, ref, "second", backend.Lost)
			resolved.rival().replays("first")
			r.resolves(i, backend.Ref{}, "nothing", backend.Lost)
		}),
	offered("T13 Free frees an Unknown record",
		"Free removes the record that ref points at: Unknown becomes Absent. Kept.",
		func(r *rig, i backend.Inspector) {
			own, lapsed := r.held(), r.claimedHolding()
			r.advance(lease + minute)
			lapsed.rival().begins(backend.Held)
			r.frees(i, r.lookup(i, own).Ref, backend.Kept)
			r.frees(i, r.lookup(i, lapsed).Ref, backend.Kept)
			own.stranger().claims(1)
			lapsed.lost()
			lapsed.rival().claims(1)
		}),
	offered("T13 Free misses a later record",
		"Free: Lost, and nothing changes, if ref's claim is not Unknown any more, be there another under the same key.",
		func(r *rig, i backend.Inspector) {
			shown, next := r.laterRecord(i)
			r.frees(i, shown, backend.Lost)
			next.rival().begins(backend.Held)
		}),
	offered("T13 Free of what is not Unknown is lost",
		"Free: Lost, and nothing changes, if ref's claim is not Unknown.",
		func(r *rig, i backend.Inspector) {
			pending, done := r.claimed(), r.done("answer")
			r.frees(i, r.lookup(i, pending).Ref, backend.Lost)
			r.frees(i, r.lookup(i, done).Ref, backend.Lost)
			pending.completes("answer", backend.Kept)
			done.rival().replays("answer")
			r.frees(i, backend.Ref{}, backend.Lost)
		}),
}

func (r *rig) resolves(i backend.Inspector, ref backend.Ref, answer string, want backend.Verdict) {
	r.Helper()
	fp := backend.NewFingerprint([]byte("the request"))
	g, err := i.Resolve(r.Context(), ref, backend.Completion{Fingerprint: fp, Answer: []byte(answer), Retention: retention})
	r.expect("Resolve", g, err, want)
}

func (r *rig) frees(i backend.Inspector, ref backend.Ref, want backend.Verdict) {
	r.Helper()
	g, err := i.Free(r.Context(), ref)
	r.expect("Free", g, err, want)
}

// laterRecord tells of two operators: the first was shown a held record, the second freed it, and the same request came
// and was held again, as attempt 1 like the first.
func (r *rig) laterRecord(i backend.Inspector) (backend.Ref, *attempt) {
	r.Helper()
	own := r.held()
	shown := r.lookup(i, own).Ref
	r.frees(i, shown, backend.Kept)
	next := own.rival()
	next.claims(1)
	next.holds("", backend.Kept)
	return shown, next
}

func forgetsUser(r *rig, i backend.Inspector) {
	var mine []*attempt
	for _, key := range []string{"a", "b", "c"} {
		mine = append(mine, r.attemptOn(r.guard, "alice", key))
	}
	others := []*attempt{
		r.attemptOn(r.guard, "bob", "a"), r.attemptOn(r.guard, "Alice", "a"), r.attemptOn(r.guard, "alice ", "a"),
		r.attemptOn(r.guard+"-b", "alice", "a"),
	}
	for _, a := range append(mine, others...) {
		a.begins(backend.Claimed)
	}
	mine[1].completes("answer", backend.Kept)
	mine[2].holds("", backend.Kept)
	n, err := i.ForgetUser(r.Context(), r.guard, "alice")
	if errors.Is(err, backend.ErrUnsupported) {
		r.Logf("skipped: the store does not keep readable identities")
		return
	}
	if err != nil || n != len(mine) {
		r.Fatalf("ForgetUser returned %d, %v; want %d", n, err, len(mine))
	}
	for _, a := range mine {
		a.rival().claims(1)
	}
	for _, a := range others {
		a.completes("answer", backend.Kept)
	}
}
