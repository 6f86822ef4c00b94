package backendtest

import "github.com/idem-go/idem/backend"

var refusalRules = []Rule{
	rule("T10 another request is a mismatch before it is in flight",
		"The record has another fingerprint: Mismatch, whatever its state: Pending.",
		func(r *rig) { r.claimed().stranger().begins(backend.Mismatch) }),
	rule("T10 another request is a mismatch before an answer replays",
		"The record has another fingerprint: Mismatch, whatever its state: Done.",
		func(r *rig) { r.done("answer").stranger().begins(backend.Mismatch) }),
	rule("T10 another request is a mismatch before it is held",
		"The record has another fingerprint: Mismatch, whatever its state: Unknown.",
		func(r *rig) { r.held().stranger().begins(backend.Mismatch) }),
	rule("T10 another request is a mismatch under the same token",
		"The record has another fingerprint: Mismatch comes before Pending under c.Token.",
		func(r *rig) {
			own := r.claimed()
			odd := own.stranger()
			odd.claim.Token = own.claim.Token
			odd.begins(backend.Mismatch)
		}),
	rule("T10 a mismatch changes nothing",
		"Mismatch: nothing changes, be the lease over and the claim one that holds.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.stranger().holding().begins(backend.Mismatch)
			own.rival().claims(2)
		}),
	rule("T11 a live claim is in flight",
		"Pending, the lease not over: InFlight, with the age of the claim and what is left of the lease.",
		func(r *rig) {
			own := r.claimed()
			r.advance(4 * minute)
			g := own.rival().begins(backend.InFlight)
			r.about("Age of the claim", g.Age, 4*minute)
			r.about("LeaseLeft", g.LeaseLeft, lease-4*minute)
		}),
	rule("T11 a live lease is not taken over",
		"Pending, the lease not over: InFlight, to the lease's end.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease - minute)
			own.rival().begins(backend.InFlight)
			own.rival().holding().begins(backend.InFlight)
			own.renews(backend.Kept)
		}),
	rule("T11 a claim that is refused changes nothing",
		"InFlight: nothing changes, the lease does not start again.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease - 2*minute)
			own.rival().begins(backend.InFlight)
			r.advance(3 * minute)
			own.rival().claims(2)
		}),
	rule("an Unknown record is held",
		"Unknown: Held, since it was given up. Nothing changes.",
		func(r *rig) {
			own := r.claimed()
			r.advance(3 * minute)
			own.holds("", backend.Kept)
			r.advance(5 * minute)
			g := own.rival().begins(backend.Held)
			r.about("Age of the held record", g.Age, 5*minute)
			own.again().begins(backend.Held)
			own.completes("too late", backend.Lost)
		}),
	rule("fields that a verdict does not mention are zero",
		"Fields that a verdict does not mention are zero.", unmentionedFields),
}

func unmentionedFields(r *rig) {
	own := r.attempt()
	r.only(own.begins(backend.Claimed), backend.Grant{Attempt: 1})
	r.only(own.stranger().begins(backend.Mismatch), backend.Grant{})
	inFlight := own.rival().begins(backend.InFlight)
	r.only(inFlight, backend.Grant{Age: inFlight.Age, LeaseLeft: inFlight.LeaseLeft})
	g, err := own.store().Renew(r.Context(), own.claim.ID, own.claim.Token, backend.Renewal{Lease: lease, Retention: retention})
	r.only(r.expect("Renew", g, err, backend.Kept), backend.Grant{})
	kept := own.completes("answer", backend.Kept)
	r.only(kept, backend.Grant{Answer: kept.Answer})
	g, err = own.store().Release(r.Context(), own.claim.ID, own.claim.Token)
	r.only(r.expect("Release", g, err, backend.Lost), backend.Grant{})
	replay := own.rival().replays("answer")
	r.only(replay, backend.Grant{Answer: replay.Answer, Attempt: 1, Age: replay.Age})
	stale := own.rival().completes("other", backend.Replay)
	r.only(stale, backend.Grant{Answer: stale.Answer, Attempt: 1, Age: stale.Age})
	held := r.held().rival().begins(backend.Held)
	r.only(held, backend.Grant{Age: held.Age})
}

// only checks every field of an answer but its verdict.
func (r *rig) only(g, want backend.Grant) {
	r.Helper()
	r.answers(g.Verdict.String(), g, want.Answer)
	if g.Attempt != want.Attempt || g.Age != want.Age || g.LeaseLeft != want.LeaseLeft {
		r.Fatalf("%s came with attempt %d, age %v, lease left %v; want %d, %v, %v",
			g.Verdict, g.Attempt, g.Age, g.LeaseLeft, want.Attempt, want.Age, want.LeaseLeft)
	}
}
