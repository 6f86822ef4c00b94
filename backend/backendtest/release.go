package backendtest

import (
	"strings"

	"github.com/idem-go/idem/backend"
)

var releaseRules = []Rule{
	rule("T8 a release frees the record",
		"Release: Pending under token becomes Absent. Kept. Any request may claim it then, as attempt 1.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			second := own.rival()
			second.claims(2)
			second.releases(backend.Kept)
			own.stranger().claims(1)
		}),
	rule("T8 a lapsed claim is released while nobody took over",
		"Release: Pending under token becomes Absent; the lease is not compared.",
		func(r *rig) {
			own, holding := r.claimed(), r.claimedHolding()
			r.advance(lease + minute)
			own.releases(backend.Kept)
			own.rival().claims(1)
			holding.releases(backend.Kept)
			holding.rival().claims(1)
		}),
	rule("T8 a release that is sent again is lost",
		"Release: Lost, and nothing changes, if the record is not Pending under token (which includes a re-sent Release).",
		func(r *rig) {
			own := r.claimed()
			own.releases(backend.Kept)
			own.again().releases(backend.Lost)
			next := own.rival()
			next.claims(1)
			own.releases(backend.Lost)
			next.renews(backend.Kept)
		}),
	rule("T8 a release by a stale owner is lost",
		"Release: Lost, and nothing changes, if the record is not Pending under token.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			own.releases(backend.Lost)
			next.rival().begins(backend.InFlight)
			next.completes("answer", backend.Kept)
		}),
	rule("T8 a release of what is not pending is lost",
		"Release: Lost, and nothing changes, if the record is Done or Unknown.",
		func(r *rig) {
			done, held := r.done("answer"), r.held()
			done.releases(backend.Lost)
			done.rival().replays("answer")
			held.releases(backend.Lost)
			held.rival().begins(backend.Held)
		}),
}

var holdRules = []Rule{
	rule("T8' a hold makes the record Unknown",
		"Hold gives the record up without an answer: Pending under token becomes Unknown. Kept.",
		func(r *rig) {
			own := r.claimed()
			own.holds("", backend.Kept)
			own.rival().begins(backend.Held)
			r.advance(lease + retention + minute)
			own.rival().begins(backend.Held)
		}),
	rule("T8' a lapsed claim is held while nobody took over",
		"Hold: Pending under token becomes Unknown; the lease is not compared.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.holds("", backend.Kept)
			own.rival().begins(backend.Held)
		}),
	rule("T8' a hold that is sent again is kept again",
		"Hold: Kept, also when it is Unknown under token already, whoever made it so.",
		func(r *rig) {
			own := r.held()
			r.advance(5 * minute)
			own.again().holds("", backend.Kept)
			r.about("Age of the held record", own.rival().begins(backend.Held).Age, 5*minute)
			lapsed := r.claimedHolding()
			r.advance(lease + minute)
			lapsed.rival().begins(backend.Held)
			lapsed.holds("", backend.Kept)
		}),
	rule("T8' a hold by a stale owner is lost",
		"Hold: otherwise Lost, and nothing changes.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			own.holds("stale", backend.Lost)
			next.rival().begins(backend.InFlight)
			next.holds("", backend.Kept)
			own.holds("stale", backend.Lost)
		}),
	rule("T8' a hold of what is not pending is lost",
		"Hold: Lost, and nothing changes, if the record is Done or Absent.",
		func(r *rig) {
			done, never := r.done("answer"), r.attempt()
			done.holds("", backend.Lost)
			done.rival().replays("answer")
			never.holds("", backend.Lost)
			never.rival().claims(1)
		}),
	offered("T8' a hold keeps its note",
		"Hold: Pending under token becomes Unknown and keeps note; an empty one keeps what a renewal left.",
		func(r *rig, i backend.Inspector) {
			own := r.claimed()
			own.holds("stripe pi_123", backend.Kept)
			r.note(i, own, "stripe pi_123")
			own.again().holds("another", backend.Kept)
			r.note(i, own, "stripe pi_123")
			renewed := r.claimed()
			renewed.renewsWith(backend.Renewal{Lease: lease, Retention: retention, Note: "stripe pi_456"}, backend.Kept)
			renewed.holds("", backend.Kept)
			r.note(i, renewed, "stripe pi_456")
			longest, other := strings.Repeat("\u00e9", backend.MaxNote/2)+"x", r.claimed()
			other.holds(longest, backend.Kept)
			r.note(i, other, longest)
		}),
}
