package backendtest

import (
	"fmt"
	"sync"

	"github.com/idem-go/idem/backend"
)

var raceRules = []Rule{
	rule("of simultaneous claims one is Claimed",
		"Of any number of simultaneous calls with different tokens at most one is Claimed.",
		func(r *rig) {
			for range r.harness.Rounds {
				r.oneClaimed(r.attempt().rivals(r.harness.Width))
			}
		}),
	rule("of simultaneous takeovers one is Claimed",
		"Every decision and the write that follows from it are one atomic step: a lapsed claim is taken over once.",
		func(r *rig) {
			for range r.harness.Rounds {
				own := r.claimed()
				r.advance(lease + minute)
				r.oneClaimed(own.rivals(r.harness.Width))
				own.completes("stale", backend.Replay)
			}
		}),
	rule("of simultaneous claims to an expired record one is Claimed",
		"Every decision and the write that follows from it are one atomic step: an expired answer makes way once.",
		func(r *rig) {
			for range r.harness.Rounds {
				own := r.done("answer")
				r.advance(retention + minute)
				r.oneClaimed(own.rivals(r.harness.Width))
			}
		}),
	rule("of simultaneous different requests one is Claimed",
		"The request that is first has the record; the same one is InFlight behind it and every other a Mismatch.",
		func(r *rig) {
			for range r.harness.Rounds {
				all := r.attempt().rivals(r.harness.Width)
				for i, a := range all {
					a.claim.Fingerprint = backend.NewFingerprint(fmt.Appendf(nil, "request %d", i/2))
				}
				r.oneClaimed(all)
			}
		}),
	rule("a Begin that overtakes itself is claimed",
		"Every method is idempotent under its own token: calls that are sent again meet their first selves.",
		func(r *rig) {
			for range r.harness.Rounds {
				own := r.attempt()
				grants := r.together(r.harness.Width, func(i int) (backend.Grant, error) {
					return r.handles[i%2].Begin(r.Context(), own.claim)
				})
				for _, g := range grants {
					if g.Verdict != backend.Claimed || g.Attempt != 1 {
						r.Fatalf("a Begin that was sent twice at once was %s as attempt %d, want Claimed as 1", g.Verdict, g.Attempt)
					}
				}
				own.completes("answer", backend.Kept)
			}
		}),
	rule("a stale and a new owner agree on one answer",
		"Whatever any caller is told equals the stored answer, and every Complete tells the same one.",
		func(r *rig) {
			for range r.harness.Rounds {
				r.oneAnswer()
			}
		}),
}

// rivals are n attempts at the same request, by turns through the two handles.
func (a *attempt) rivals(n int) []*attempt {
	all := make([]*attempt, n)
	for i := range all {
		all[i] = a.rival()
		all[i].handle = i % 2
	}
	return all
}

// together makes n calls at once and returns their answers. Any error is fatal: contention is no failure.
func (r *rig) together(n int, call func(i int) (backend.Grant, error)) []backend.Grant {
	r.Helper()
	grants, errs := make([]backend.Grant, n), make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			grants[i], errs[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	for _, err := range errs {
		if err != nil {
			r.Fatalf("one of %d simultaneous calls failed: %v", n, err)
		}
	}
	return grants
}

// oneClaimed begins all attempts at once: one is Claimed, and the others are told what is in their way.
func (r *rig) oneClaimed(all []*attempt) {
	r.Helper()
	grants := r.together(len(all), func(i int) (backend.Grant, error) {
		return all[i].store().Begin(r.Context(), all[i].claim)
	})
	var winner *attempt
	for i, g := range grants {
		if g.Verdict != backend.Claimed {
			continue
		}
		if winner != nil {
			r.Fatalf("two of %d simultaneous claims were Claimed", len(all))
		}
		winner = all[i]
	}
	if winner == nil {
		r.Fatalf("none of %d simultaneous claims was Claimed", len(all))
	}
	for i, g := range grants {
		want := backend.InFlight
		if all[i].claim.Fingerprint != winner.claim.Fingerprint {
			want = backend.Mismatch
		}
		if all[i] != winner && g.Verdict != want {
			r.Fatalf("a claim behind the Claimed one was %s, want %s", g.Verdict, want)
		}
	}
	winner.completes("answer", backend.Kept)
}

// oneAnswer has the owner of a lapsed claim complete while others take over and complete.
func (r *rig) oneAnswer() {
	r.Helper()
	own := r.claimed()
	r.advance(lease + minute)
	all := append(own.rivals(r.harness.Width-1), own)
	answers := make([]string, len(all))
	grants := r.together(len(all), func(i int) (backend.Grant, error) {
		a := all[i]
		answers[i] = fmt.Sprintf("answer %d", i)
		if a != own {
			if g, err := a.store().Begin(r.Context(), a.claim); err != nil || g.Verdict != backend.Claimed {
				return g, err
			}
		}
		return a.store().Complete(r.Context(), a.claim.ID, a.claim.Token, a.completion([]byte(answers[i]), retention))
	})
	stored := string(own.rival().begins(backend.Replay).Answer)
	for i, g := range grants {
		told := string(g.Answer)
		if g.Verdict == backend.Kept && told == "" {
			told = answers[i]
		}
		if (g.Verdict == backend.Kept || g.Verdict == backend.Replay) && told != stored {
			r.Fatalf("a caller was told %q (%s), and %q is stored", told, g.Verdict, stored)
		}
	}
}
