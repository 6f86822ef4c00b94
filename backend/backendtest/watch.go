package backendtest

import (
	"time"

	"github.com/idem-go/idem/backend"
)

// wakeTries is how often a wake-up may be missed: each one may, all of them may not.
const wakeTries = 3

var watchRules = []Rule{
	offered("a watch is woken by an answer",
		"Watch returns a channel that receives soon after the record was completed.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) { own.completes("answer", backend.Kept) })
		}),
	offered("a watch is woken by a release",
		"Watch returns a channel that receives soon after the record was released.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) { own.releases(backend.Kept) })
		}),
	offered("a watch is woken by a hold",
		"Watch returns a channel that receives soon after the record was held.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) { own.holds("", backend.Kept) })
		}),
	offered("every watch of a record is woken",
		"Watch returns a channel that receives, also where others watch the same record and one of them stopped.",
		func(r *rig, n backend.Notifier) {
			r.wakes(n, func(own *attempt) {
				_, stop := r.watch(n, own)
				stop()
				own.completes("answer", backend.Kept)
			})
		}),
}

func (r *rig) watch(n backend.Notifier, own *attempt) (<-chan struct{}, func()) {
	r.Helper()
	changed, stop, err := n.Watch(r.Context(), own.claim.ID)
	if err != nil {
		r.Fatalf("Watch failed: %v", err)
	}
	return changed, stop
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
