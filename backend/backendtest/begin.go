package backendtest

import "github.com/idem-go/idem/backend"

var beginRules = []Rule{
	rule("T1 an absent record is claimed",
		"No record: it is now Pending under c.Token, attempt 1. The verdict is Claimed.",
		func(r *rig) {
			own := r.attempt()
			own.claims(1)
			own.rival().begins(backend.InFlight)
			own.completes("answer", backend.Kept)
		}),
	rule("T1' a Begin that is sent again is claimed again",
		"Pending under c.Token: Claimed, with the attempt it has.",
		func(r *rig) {
			own, holding := r.claimed(), r.claimedHolding()
			own.again().claims(1)
			r.advance(lease + minute)
			own.claims(1)
			holding.claims(1)
			next := own.rival()
			next.claims(2)
			next.again().claims(2)
		}),
	rule("T1' a Begin that is sent again changes nothing",
		"Pending under c.Token: nothing changes, the lease does not start again.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease - 2*minute)
			own.again().begins(backend.Claimed)
			r.advance(3 * minute)
			own.rival().claims(2)
		}),
	rule("T2 a lapsed claim is taken over",
		"Pending, the lease over, otherwise: it is now Pending under c.Token, its attempt one higher. Claimed.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			second := own.rival()
			second.claims(2)
			r.advance(lease + minute)
			third := second.rival()
			third.claims(3)
			third.completes("answer", backend.Kept)
		}),
	rule("T2 a takeover starts a new lease",
		"Pending, the lease over, otherwise: it is now Pending under c.Token with a new lease.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.rival().begins(backend.Claimed)
			g := own.rival().begins(backend.InFlight)
			r.about("LeaseLeft after a takeover", g.LeaseLeft, lease)
			r.about("Age after a takeover", g.Age, 0)
		}),
	rule("T2 a takeover needs the same fingerprint",
		"The record has another fingerprint: Mismatch, whatever its state, and be its lease over.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.stranger().begins(backend.Mismatch)
			own.completes("answer", backend.Kept)
		}),
	rule("T2 a takeover keeps the fingerprint",
		"The fingerprint of a record never changes.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.rival().begins(backend.Claimed)
			own.stranger().begins(backend.Mismatch)
			own.rival().begins(backend.InFlight)
		}),
	rule("T2 a takeover locks the old owner out",
		"Every write but the claim is fenced by the token: after a takeover the old one is Lost everywhere.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			own.lost()
			own.begins(backend.InFlight)
			next.completes("answer", backend.Kept)
		}),
	rule("T3 a lapsed claim that holds becomes Unknown",
		"Pending, the lease over, and the record says Hold: the record is now Unknown. The verdict is Held.",
		func(r *rig) {
			own := r.claimedHolding()
			r.advance(lease + minute)
			next := own.rival()
			next.claim.Hold = false
			next.begins(backend.Held)
			own.completes("too late", backend.Lost)
			next.begins(backend.Held)
		}),
	rule("T3 a claim that holds makes a lapsed record Unknown",
		"Pending, the lease over, and c says Hold: the record is now Unknown. The verdict is Held.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.rival().holding().begins(backend.Held)
			own.rival().begins(backend.Held)
			own.renews(backend.Lost)
		}),
	rule("T9 a stored answer replays",
		"Done: Replay, with the stored answer, its age and what is left of its retention.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			r.advance(3 * minute)
			next.completes("answer", backend.Kept)
			r.advance(5 * minute)
			g := own.rival().replays("answer")
			r.about("Age of the answer", g.Age, 5*minute)
			r.about("RetentionLeft of the answer", g.RetentionLeft, retention-5*minute)
			if g.Attempt != 2 {
				r.Fatalf("the answer replays as attempt %d's, want 2", g.Attempt)
			}
			next.again().replays("answer")
		}),
	rule("T9 a replay writes nothing",
		"Done: nothing is written, the retention does not start again.",
		func(r *rig) {
			own := r.done("answer")
			r.advance(retention - 2*minute)
			own.rival().replays("answer")
			r.advance(3 * minute)
			own.rival().claims(1)
		}),
}
