package backendtest

import (
	"bytes"
	"errors"

	"github.com/idem-go/idem/backend"
)

var answerRules = []Rule{
	rule("an empty answer is an answer",
		"Done: Replay, with the stored answer. No bytes are an answer like any other.",
		func(r *rig) {
			for _, empty := range [][]byte{nil, {}} {
				own := r.claimed()
				own.completesFor(retention, empty, backend.Kept)
				own.again().completesFor(retention, empty, backend.Kept)
				own.rival().replays("")
			}
		}),
	rule("an answer comes back byte for byte",
		"Completion.Answer: an envelope that only the engine reads; the store must not change it.",
		func(r *rig) {
			for _, answer := range [][]byte{everyByte(), {0}, {0xff}, []byte(" padded "), []byte("line\r\nline\n"), []byte(`\x00'"`)} {
				own := r.claimed()
				own.completesFor(retention, answer, backend.Kept)
				own.rival().replays(string(answer))
			}
		}),
	rule("a large answer comes back whole",
		"Completion.Answer: 1 MiB is stored whole or refused with ErrTooLarge, never cut.",
		func(r *rig) {
			own, large := r.claimed(), bytes.Repeat(everyByte(), 1<<20/256)
			g, err := own.store().Complete(r.Context(), own.claim.ID, own.claim.Token, own.completion(large, retention))
			if errors.Is(err, backend.ErrTooLarge) {
				r.Logf("skipped: 1 MiB is too large for the store")
				return
			}
			r.expect("Complete", g, err, backend.Kept)
			own.rival().replays(string(large))
		}),
	rule("the caller may use his slice again",
		"Completion.Answer: the store must not keep the slice.",
		func(r *rig) {
			own, answer := r.claimed(), []byte("answer")
			own.completesFor(retention, answer, backend.Kept)
			copy(answer, "XXXXXX")
			own.again().replays("answer")
			own.rival().replays("answer")
		}),
	rule("an answer that is too large leaves the claim as it was",
		"Complete returns an error that wraps ErrTooLarge if the store can never take an answer of this size.",
		func(r *rig) {
			if r.harness.TooLarge == 0 {
				r.Logf("skipped: the harness names no size that is too large")
				return
			}
			own := r.claimed()
			huge := own.completion(make([]byte, r.harness.TooLarge), retention)
			_, err := own.store().Complete(r.Context(), own.claim.ID, own.claim.Token, huge)
			if !errors.Is(err, backend.ErrTooLarge) {
				r.Fatalf("Complete with %d bytes returned %v, want an error that wraps ErrTooLarge", r.harness.TooLarge, err)
			}
			own.rival().begins(backend.InFlight)
			own.completes("tombstone", backend.Kept)
			own.rival().replays("tombstone")
		}),
}

func everyByte() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}
