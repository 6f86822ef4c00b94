package backendtest

import (
	"time"

	"github.com/idem-go/idem/backend"
)

var lookupRules = []Rule{
	offered("Lookup shows an absent record",
		"Lookup returns the record, with State Absent if there is none.",
		func(r *rig, i backend.Inspector) {
			never, released := r.attempt(), r.claimed()
			released.releases(backend.Kept)
			r.shows(i, never, backend.Absent)
			r.shows(i, released, backend.Absent)
		}),
	offered("Lookup shows a pending record",
		"Record: durations are on the store's clock at the time of the call. LeaseLeft: negative once the lease is over.",
		func(r *rig, i backend.Inspector) {
			own := r.claimed()
			r.advance(4 * minute)
			shown := r.shows(i, own, backend.Pending)
			r.about("Age", shown.Age, 4*minute)
			r.about("LeaseLeft", shown.LeaseLeft, lease-4*minute)
			r.about("ExpiresIn", shown.ExpiresIn, lease+retention-4*minute)
			r.advance(lease)
			r.about("LeaseLeft of a lapsed claim", r.shows(i, own, backend.Pending).LeaseLeft, -4*minute)
		}),
	offered("Lookup shows a claim that holds",
		"Record.ExpiresIn: zero where the record never expires (Pending with Hold).",
		func(r *rig, i backend.Inspector) {
			own := r.claimedHolding()
			if shown := r.shows(i, own, backend.Pending); !shown.Hold || shown.ExpiresIn != 0 {
				r.Fatalf("the record of a claim that holds shows Hold %v and expires in %v", shown.Hold, shown.ExpiresIn)
			}
		}),
	offered("Lookup shows a takeover",
		"Record.Ref points at the claim that has the record now, Record.Attempt counts the claims.",
		func(r *rig, i backend.Inspector) {
			own := r.claimed()
			r.advance(lease + minute)
			next := own.rival()
			next.begins(backend.Claimed)
			shown := r.shows(i, next, backend.Pending)
			if shown.Attempt != 2 || shown.Ref.Matches(own.claim.Token) {
				r.Fatalf("after a takeover the record shows attempt %d, or the old claim's Ref", shown.Attempt)
			}
		}),
	offered("Lookup shows an answer",
		"Record.AnswerSize: bytes of the stored envelope.",
		func(r *rig, i backend.Inspector) {
			own := r.done("answer")
			r.advance(5 * minute)
			shown := r.shows(i, own, backend.Done)
			if shown.AnswerSize != len("answer") {
				r.Fatalf("the record shows an answer of %d bytes, want %d", shown.AnswerSize, len("answer"))
			}
			r.about("Age", shown.Age, 5*minute)
			r.about("ExpiresIn", shown.ExpiresIn, retention-5*minute)
		}),
	offered("Lookup shows an Unknown record",
		"Record.ExpiresIn: zero where the record never expires (Unknown).",
		func(r *rig, i backend.Inspector) {
			own := r.claimed()
			r.advance(3 * minute)
			own.holds("", backend.Kept)
			r.advance(5 * minute)
			shown := r.shows(i, own, backend.Unknown)
			r.about("Age", shown.Age, 5*minute)
			if shown.ExpiresIn != 0 {
				r.Fatalf("an Unknown record expires in %v", shown.ExpiresIn)
			}
		}),
	offered("Lookup does not show an expired record",
		"An expired record is Absent for every rule, whether or not it has been removed yet.",
		func(r *rig, i backend.Inspector) {
			done, abandoned := r.done("answer"), r.claimed()
			r.advance(lease + retention + minute)
			r.shows(i, done, backend.Absent)
			r.shows(i, abandoned, backend.Absent)
		}),
}

func (r *rig) lookup(i backend.Inspector, a *attempt) backend.Record {
	r.Helper()
	shown, err := i.Lookup(r.Context(), a.claim.ID)
	if err != nil {
		r.Fatalf("Lookup failed: %v", err)
	}
	return shown
}

// shows looks a record up and checks what is the same in every state.
func (r *rig) shows(i backend.Inspector, a *attempt, want backend.State) backend.Record {
	r.Helper()
	shown := r.lookup(i, a)
	if shown.State != want {
		r.Fatalf("Lookup shows %s, want %s", shown.State, want)
	}
	if want == backend.Absent {
		return shown
	}
	if shown.Ref.ID() != a.claim.ID || !shown.Ref.Matches(a.claim.Token) {
		r.Fatalf("Lookup shows a Ref that does not point at the record's claim")
	}
	if shown.Fingerprint != a.claim.Fingerprint || shown.Attempt < 1 {
		r.Fatalf("Lookup shows another fingerprint, or attempt %d", shown.Attempt)
	}
	return shown
}

// list reads all pages of a listing.
func (r *rig) list(i backend.Inspector, f backend.Filter, limit int) []backend.Record {
	r.Helper()
	var all []backend.Record
	var after backend.Cursor
	for deadline := time.Now().Add(r.harness.Patience); ; {
		page, next, err := i.List(r.Context(), f, after, limit)
		if err != nil {
			r.Fatalf("List failed: %v", err)
		}
		if len(page) > limit {
			r.Fatalf("List returned %d records, the limit is %d", len(page), limit)
		}
		all = append(all, page...)
		if next.IsZero() {
			return all
		}
		if next == after || time.Now().After(deadline) {
			r.Fatalf("List does not come to an end")
		}
		after = next
	}
}
