package backendtest

import (
	"time"

	"github.com/idem-go/idem/backend"
)

// ages is longer than any lease or retention of a rule.
const ages = 10 * 365 * 24 * time.Hour

var expiryRules = []Rule{
	rule("a done record past its retention is Absent",
		"An expired record is Absent for every rule, whether or not it has been removed yet: Done.",
		func(r *rig) {
			same, other := r.done("answer"), r.done("answer")
			r.advance(retention + minute)
			next := same.rival()
			next.claims(1)
			next.rival().begins(backend.InFlight)
			next.completes("new answer", backend.Kept)
			same.rival().replays("new answer")
			other.stranger().claims(1)
		}),
	rule("an abandoned record is remembered for its retention",
		"A record expires: a pending one that may be run again when its lease and then its retention are over.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + retention - minute)
			own.stranger().begins(backend.Mismatch)
			own.rival().claims(2)
		}),
	rule("an abandoned record past its retention is Absent",
		"An expired record is Absent for every rule: Pending without Hold, its lease and then its retention over.",
		func(r *rig) {
			same, other, holding := r.claimed(), r.claimed(), r.claimed()
			r.advance(lease + retention + minute)
			same.rival().claims(1)
			other.stranger().claims(1)
			holding.rival().holding().claims(1)
		}),
	rule("a takeover is remembered for its own retention",
		"A takeover has a new lease, and its record expires a retention after that one.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + retention - minute)
			next := own.rival()
			next.claims(2)
			r.advance(lease + retention - minute)
			next.rival().claims(3)
		}),
	rule("a pending record that holds never expires",
		"A record expires: a held one never.",
		func(r *rig) {
			renewed, never := r.claimedHolding(), r.claimedHolding()
			renewed.renews(backend.Kept)
			r.advance(ages)
			for _, own := range []*attempt{renewed, never} {
				own.stranger().begins(backend.Mismatch)
				own.rival().begins(backend.Held)
			}
		}),
	rule("an Unknown record never expires",
		"A record expires: an unknown one never.",
		func(r *rig) {
			own, lapsed := r.held(), r.claimed()
			r.advance(lease + minute)
			lapsed.rival().holding().begins(backend.Held)
			r.advance(ages)
			own.stranger().begins(backend.Mismatch)
			own.rival().begins(backend.Held)
			lapsed.rival().begins(backend.Held)
		}),
	rule("an expired record is Absent to its owner",
		"An expired record is Absent for every rule, its own token's too: Lost.",
		func(r *rig) {
			pending, done := r.claimed(), r.done("answer")
			r.advance(lease + retention + minute)
			pending.lost()
			pending.rival().claims(1)
			done.lost()
			done.rival().claims(1)
		}),
	rule("an old token does not fit a new incarnation",
		"A token is never used again: the owner of an expired record cannot write to the next one.",
		func(r *rig) {
			for _, old := range []*attempt{r.claimed(), r.done("old answer")} {
				r.advance(lease + retention + minute)
				next := old.rival()
				next.claims(1)
				old.lost()
				old.begins(backend.InFlight)
				next.completes("answer", backend.Kept)
				old.rival().replays("answer")
			}
		}),
	rule("a new incarnation inherits nothing",
		"No record, or an expired one: it is now Pending as c says, whatever was there before.", inheritsNothing),
}

func inheritsNothing(r *rig) {
	old := r.claimedHolding()
	old.renewsWith(backend.Renewal{Lease: lease, Retention: retention, Note: "of the old one"}, backend.Kept)
	old.completes("old answer", backend.Kept)
	r.advance(retention + minute)
	next := old.stranger()
	next.claim.Hold = false
	next.claims(1)
	if i, ok := r.handles[0].(backend.Inspector); ok {
		if shown := r.lookup(i, next); shown.Note != "" || shown.AnswerSize != 0 || shown.Hold {
			r.Fatalf("a new claim's record has the note %q, an answer of %d bytes, Hold %v", shown.Note, shown.AnswerSize, shown.Hold)
		}
	}
	r.advance(lease + minute)
	next.rival().claims(2)
}
