package backendtest

import (
	"context"

	"github.com/idem-go/idem/backend"
)

var contextRules = []Rule{
	rule("a context that has ended claims nothing",
		"Methods obey ctx: Begin returns an error and the record stays Absent.",
		func(r *rig) {
			own := r.attempt()
			_, err := own.store().Begin(r.ended(), own.claim)
			r.refused("Begin", err)
			own.rival().claims(1)
		}),
	rule("a context that has ended changes nothing",
		"Methods obey ctx: Renew, Complete, Release and Hold return an error and the claim stays as it is.",
		func(r *rig) {
			own := r.claimed()
			s, id, token := own.store(), own.claim.ID, own.claim.Token
			_, err := s.Renew(r.ended(), id, token, backend.Renewal{Lease: 10 * lease, Retention: retention})
			r.refused("Renew", err)
			_, err = s.Complete(r.ended(), id, token, own.completion([]byte("answer"), retention))
			r.refused("Complete", err)
			_, err = s.Release(r.ended(), id, token)
			r.refused("Release", err)
			_, err = s.Hold(r.ended(), id, token, "")
			r.refused("Hold", err)
			own.rival().begins(backend.InFlight)
			r.advance(lease + minute)
			own.rival().claims(2)
		}),
}

// ended is a context whose caller has left.
func (r *rig) ended() context.Context {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	return ctx
}

func (r *rig) refused(call string, err error) {
	r.Helper()
	if err == nil {
		r.Fatalf("%s with a context that has ended returned no error", call)
	}
}
