package backendtest

import (
	"bytes"

	"github.com/idem-go/idem/backend"
)

var listRules = []Rule{
	offered("List pages through every record once, in order",
		"List returns at most limit records that match f, in the order of their ids, from after on.",
		func(r *rig, i backend.Inspector) {
			var all []*attempt
			for range 21 {
				all = append(all, r.claimed())
			}
			for _, limit := range []int{1000, 21, 7, 4, 1} {
				listed := r.list(i, backend.Filter{}, limit)
				r.lists(listed, all...)
				for n := 1; n < len(listed); n++ {
					a, b := listed[n-1].Ref.ID(), listed[n].Ref.ID()
					if bytes.Compare(a[:], b[:]) >= 0 {
						r.Fatalf("with limit %d the records are not in the order of their ids", limit)
					}
				}
			}
		}),
	offered("List does not show an expired record",
		"An expired record is Absent for every rule, whether or not it has been removed yet.",
		func(r *rig, i backend.Inspector) {
			r.done("answer")
			r.claimed()
			r.advance(lease + retention + minute)
			live := r.claimed()
			r.lists(r.list(i, backend.Filter{}, 10), live)
		}),
	offered("List filters by state",
		"Filter selects records. State: Absent selects every state.",
		func(r *rig, i backend.Inspector) {
			pending, done, held := r.claimed(), r.done("answer"), r.held()
			r.lists(r.list(i, backend.Filter{State: backend.Pending}, 10), pending)
			r.lists(r.list(i, backend.Filter{State: backend.Done}, 10), done)
			r.lists(r.list(i, backend.Filter{State: backend.Unknown}, 10), held)
			r.lists(r.list(i, backend.Filter{State: backend.Absent}, 1), pending, done, held)
		}),
	offered("List filters by age",
		"Filter.OlderThan: only records that have been in their state for longer.",
		func(r *rig, i backend.Inspector) {
			old, young := r.claimed(), r.claimed()
			r.advance(5 * minute)
			young.completes("answer", backend.Kept)
			r.lists(r.list(i, backend.Filter{OlderThan: 3 * minute}, 10), old)
			r.lists(r.list(i, backend.Filter{OlderThan: 20 * minute}, 10))
			r.lists(r.list(i, backend.Filter{OlderThan: 3 * minute, State: backend.Done}, 10))
			r.advance(5 * minute)
			r.lists(r.list(i, backend.Filter{OlderThan: 3 * minute}, 10), old, young)
		}),
	offered("List filters by guard and user",
		"Filter.Guard, Filter.User: zero fields select everything.",
		func(r *rig, i backend.Inspector) {
			first, second := r.attemptOn(r.guard, "alice", "key"), r.attemptOn(r.guard, "Alice", "key")
			third := r.attemptOn(r.guard+"-b", "alice", "key")
			for _, a := range []*attempt{first, second, third} {
				a.begins(backend.Claimed)
			}
			if r.lookup(i, first).Guard == "" {
				r.Logf("skipped: the store leaves readable identities out")
				return
			}
			r.lists(r.list(i, backend.Filter{Guard: r.guard}, 1), first, second)
			r.lists(r.list(i, backend.Filter{Guard: r.guard, User: "alice"}, 1), first)
			r.lists(r.list(i, backend.Filter{User: "alice"}, 1), first, third)
			r.lists(r.list(i, backend.Filter{Guard: r.guard, User: "bob"}, 1))
		}),
}

// lists checks that exactly the records of want are there, each once.
func (r *rig) lists(got []backend.Record, want ...*attempt) {
	r.Helper()
	times := make(map[backend.ID]int)
	for _, record := range got {
		times[record.Ref.ID()]++
	}
	for _, a := range want {
		if n := times[a.claim.ID]; n != 1 {
			r.Fatalf("List shows a record %d times, want once", n)
		}
	}
	if len(got) != len(want) {
		r.Fatalf("List shows %d records, want %d", len(got), len(want))
	}
}

var forgetRules = []Rule{
	offered("Forget removes a record in any state",
		"Forget removes the record in whatever state it is and reports whether there was one.",
		func(r *rig, i backend.Inspector) {
			for _, own := range []*attempt{r.claimed(), r.claimedHolding(), r.done("answer"), r.held()} {
				r.forgets(i, own, true)
				r.forgets(i, own, false)
				own.stranger().claims(1)
			}
			r.forgets(i, r.attempt(), false)
		}),
	offered("Forget takes the claim from an attempt that runs",
		"Forget: an attempt that still runs loses its claim.",
		func(r *rig, i backend.Inspector) {
			own, bystander := r.claimed(), r.claimed()
			r.forgets(i, own, true)
			own.lost()
			next := own.rival()
			next.claims(1)
			own.lost()
			next.completes("answer", backend.Kept)
			bystander.completes("answer", backend.Kept)
		}),
	offered("ForgetUser removes the records of one user under one guard",
		"ForgetUser removes all records of a user under a guard and returns how many there were.", forgetsUser),
}

func (r *rig) forgets(i backend.Inspector, a *attempt, want bool) {
	r.Helper()
	there, err := i.Forget(r.Context(), a.claim.ID)
	if err != nil {
		r.Fatalf("Forget failed: %v", err)
	}
	if there != want {
		r.Fatalf("Forget says %v to whether there was a record, want %v", there, want)
	}
}
