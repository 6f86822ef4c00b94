package backendtest

import "github.com/idem-go/idem/backend"

var renewRules = []Rule{
	rule("T4 a renewal extends the lease from now",
		"Renew extends the lease of a claim to r.Lease from now. Kept.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease - 2*minute)
			own.renews(backend.Kept)
			r.advance(lease - 2*minute)
			g := own.rival().begins(backend.InFlight)
			r.about("LeaseLeft", g.LeaseLeft, 2*minute)
			r.advance(3 * minute)
			own.rival().claims(2)
		}),
	rule("T4 a renewal extends the retention too",
		"Renewal.Retention: what the record outlives its new lease by.",
		func(r *rig) {
			own := r.claimed()
			r.advance(4 * minute)
			own.renewsWith(backend.Renewal{Lease: 2 * lease, Retention: 10 * retention}, backend.Kept)
			g := own.rival().begins(backend.InFlight)
			r.about("LeaseLeft", g.LeaseLeft, 2*lease)
			r.about("Age of the claim", g.Age, 4*minute)
			r.advance(2*lease + 9*retention)
			own.stranger().begins(backend.Mismatch)
			r.advance(2 * retention)
			own.stranger().claims(1)
		}),
	rule("T4 a lapsed lease is renewed while nobody took over",
		"A lease that ran out is renewed too as long as nobody took the claim over.",
		func(r *rig) {
			for _, own := range []*attempt{r.claimed(), r.claimedHolding()} {
				r.advance(lease + minute)
				own.renews(backend.Kept)
				own.rival().begins(backend.InFlight)
			}
		}),
	rule("T4 a renewal that is sent again is kept again",
		"Every method is idempotent under its own token: Renew.",
		func(r *rig) {
			own := r.claimed()
			own.renews(backend.Kept)
			own.again().renews(backend.Kept)
		}),
	rule("T4 a renewal does not make the claim younger",
		"Age: how long the record has been in its state, since its claim for InFlight.",
		func(r *rig) {
			own := r.claimed()
			r.advance(4 * minute)
			own.renews(backend.Kept)
			r.about("Age of the claim", own.rival().begins(backend.InFlight).Age, 4*minute)
			own.claims(1)
		}),
	rule("T4 a renewal by a stale owner is lost",
		"Renew: Lost if the record is not Pending under token.",
		func(r *rig) {
			own := r.claimed()
			r.advance(lease + minute)
			own.rival().begins(backend.Claimed)
			r.advance(lease - minute)
			own.renews(backend.Lost)
			r.advance(2 * minute)
			own.rival().claims(3)
		}),
	rule("T4 a renewal of what is not pending is lost",
		"Renew: Lost if the record is not Pending under token: Absent, released, Done or Unknown.",
		func(r *rig) {
			r.attempt().renews(backend.Lost)
			r.held().renews(backend.Lost)
			released := r.claimed()
			released.releases(backend.Kept)
			released.renews(backend.Lost)
			done := r.done("answer")
			done.renewsWith(backend.Renewal{Lease: lease, Retention: 10 * retention}, backend.Lost)
			done.rival().replays("answer")
			r.advance(retention + minute)
			done.rival().claims(1)
		}),
	offered("T4 a renewal keeps its note",
		"Renew keeps r.Note if it is not empty; an empty one keeps the note that is there. It outlives a crash.",
		func(r *rig, i backend.Inspector) {
			own := r.claimedHolding()
			own.renewsWith(backend.Renewal{Lease: lease, Retention: retention, Note: "stripe pi_123"}, backend.Kept)
			r.note(i, own, "stripe pi_123")
			own.renews(backend.Kept)
			r.advance(lease + minute)
			own.rival().begins(backend.Held)
			r.note(i, own, "stripe pi_123")
		}),
}

// note checks the note of an attempt's record.
func (r *rig) note(i backend.Inspector, a *attempt, want string) {
	r.Helper()
	if got := r.lookup(i, a).Note; got != want {
		r.Fatalf("the record's note is %q, want %q", got, want)
	}
}
