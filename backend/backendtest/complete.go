package backendtest

import "github.com/idem-go/idem/backend"

var completeRules = []Rule{
	rule("T5 the owner's answer is stored",
		"Complete: Pending under token becomes Done. Kept.",
		func(r *rig) {
			own := r.claimed()
			if g := own.completes("answer", backend.Kept); g.Answer != nil {
				r.answers("Complete", g, []byte("answer"))
			}
			own.rival().replays("answer")
		}),
	rule("T5 a late answer is stored while nobody took over",
		"Pending under token becomes Done, even when the lease ran out meanwhile: Kept.",
		func(r *rig) {
			own, holding := r.claimed(), r.claimedHolding()
			r.advance(lease + minute)
			own.completes("answer", backend.Kept)
			own.rival().replays("answer")
			holding.completes("answer", backend.Kept)
			holding.rival().replays("answer")
		}),
	rule("T5 the retention counts from the completion",
		"Completion.Retention: how long the answer replays, from now.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease - minute)
			own.completesFor(3*retention, []byte("answer"), backend.Kept)
			r.advance(3*retention - 2*minute)
			r.about("Age of the answer", own.rival().replays("answer").Age, 3*retention-2*minute)
			r.advance(3 * minute)
			own.rival().claims(1)
		}),
	rule("T5 the answer of a claim that holds expires too",
		"A record expires: a done one when its retention is over, whatever its claim said.",
		func(r *rig) {
			own := r.claimedHolding()
			own.completes("answer", backend.Kept)
			r.advance(retention + minute)
			own.rival().claims(1)
		}),
	rule("T6 a Complete that is sent again is kept again",
		"Done under token already: Kept, with the answer that is stored.",
		func(r *rig) {
			own := r.done("answer")
			g := own.again().completes("another answer", backend.Kept)
			r.answers("Complete, sent again,", g, []byte("answer"))
		}),
	rule("T6 a Complete that is sent again changes nothing",
		"Done under token already: nothing changes, neither the answer nor its retention.",
		func(r *rig) {
			own := r.done("answer")
			r.advance(retention - 2*minute)
			own.again().completes("another answer", backend.Kept)
			own.rival().replays("answer")
			r.advance(3 * minute)
			own.rival().claims(1)
		}),
}

var staleRules = []Rule{
	rule("T7 a stale owner's answer is not stored",
		"Otherwise the caller is a stale owner and nothing changes: Lost while the new owner runs.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			own.completes("stale", backend.Lost)
			own.rival().begins(backend.InFlight)
			next.completes("answer", backend.Kept)
			own.rival().replays("answer")
		}),
	rule("T7 a stale owner is told the stored answer",
		"A stale owner gets Replay with what is stored if the record is Done with the same fingerprint and not expired.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			next.completes("answer", backend.Kept)
			r.advance(5 * minute)
			g := own.completes("stale", backend.Replay)
			r.answers("Complete by a stale owner", g, []byte("answer"))
			r.about("Age of the answer", g.Age, 5*minute)
			if g.Attempt != 2 {
				r.Fatalf("Complete by a stale owner told of attempt %d, want 2", g.Attempt)
			}
			own.rival().replays("answer")
		}),
	rule("T7 a stale owner is not told another request's answer",
		"A stale owner gets Replay only if the fingerprint is the same, else Lost.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + retention + minute)
			other := own.stranger()
			other.claims(1)
			other.completes("another request's answer", backend.Kept)
			g := own.completes("stale", backend.Lost)
			r.answers("Complete by a stale owner", g, nil)
			other.rival().replays("another request's answer")
		}),
	rule("T7 a stale owner is not told an expired answer",
		"A stale owner gets Replay only if the answer is not expired, else Lost.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			next.completes("answer", backend.Kept)
			r.advance(retention + minute)
			r.answers("Complete by a stale owner", own.completes("stale", backend.Lost), nil)
			own.rival().claims(1)
		}),
	rule("T7 an answer for a record that was given up is lost",
		"Neither Pending nor Done under token: Lost, and nothing changes. Unknown stays Unknown.",
		func(r *rig) {
			own := r.held()
			own.completes("too late", backend.Lost)
			own.rival().begins(backend.Held)
		}),
	rule("T7 an answer for an absent record is lost",
		"Neither Pending nor Done under token: Lost, and nothing changes. Absent stays Absent.",
		func(r *rig) {
			never := r.attempt()
			never.completes("answer", backend.Lost)
			never.rival().claims(1)
			released := r.claimed()
			released.releases(backend.Kept)
			released.completes("too late", backend.Lost)
			released.rival().claims(1)
		}),
}
