package backendtest

import (
	"errors"
	"time"

	"github.com/idem-go/idem/backend"
)

// wakeTries is how often a wake-up may be missed: each one may, all of them may not.
const wakeTries = 3

var watchRules = []Rule{
	watched("a watch is woken by an answer",
		"Watch returns a channel that receives soon after the record was completed.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) { own.completes("answer", backend.Kept) })
		}),
	watched("a watch is woken by a release",
		"Watch returns a channel that receives soon after the record was released.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) { own.releases(backend.Kept) })
		}),
	watched("a watch is woken by a hold",
		"Watch returns a channel that receives soon after the record was held.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) { own.holds("", backend.Kept) })
		}),
	watched("every watch of a record is woken",
		"Watch returns a channel that receives, also where others watch the same record and one of them stopped.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) {
				_, stop := r.watch(n, own)
				stop()
				own.completes("answer", backend.Kept)
			})
		}),
	watched("who watches again is woken by the next claim's end",
		"After a wake-up who still waits watches again, and is told of the end of the claim that followed.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) {
				own.releases(backend.Kept)
				next := own.rival()
				next.begins(backend.Claimed)
				changed, stop := r.watch(n, own)
				defer stop()
				next.again().completes("answer", backend.Kept)
				if !r.soon(changed) {
					r.Fatalf("the end of the first claim is told, the end of the next is not")
				}
			})
		}),
}

// watched makes a row that is skipped where the store tells nothing, or is not a Notifier at all.
func watched(name, text string, check func(*rig, backend.Notifier)) Rule {
	return offered(name, text, func(r *rig, n backend.Notifier) {
		r.Helper()
		_, stop, err := n.Watch(r.Context(), r.claimed().claim.ID)
		if errors.Is(err, backend.ErrUnsupported) {
			r.Logf("skipped: the store tells nothing: %v", err)
			return
		}
		if err == nil {
			stop()
		}
		check(r, n)
	})
}

// watch begins one. The store may need a while before it can tell.
func (r *rig) watch(n backend.Notifier, own *attempt) (<-chan struct{}, func()) {
	r.Helper()
	over := time.After(r.harness.Patience)
	for {
		changed, stop, err := n.Watch(r.Context(), own.claim.ID)
		if err == nil {
			return changed, stop
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-over:
			r.Fatalf("Watch failed for %v: %v", r.harness.Patience, err)
		}
	}
}

// wakes ends an attempt through the other handle and waits for the wake-up.
func (r *rig) wakes(n backend.Notifier, end func(*attempt)) {
	r.Helper()
	for range wakeTries {
		own := r.claimed()
		changed, stop := r.watch(n, own)
		end(own.again())
		woken := r.soon(changed)
		stop()
		stop() // it may be called twice
		if woken {
			return
		}
	}
	r.Fatalf("no wake-up came in %v, %d times in a row", r.harness.Patience, wakeTries)
}

func (r *rig) soon(changed <-chan struct{}) bool {
	timer := time.NewTimer(r.harness.Patience)
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.C:
		return false
	}
}
