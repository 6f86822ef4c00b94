package histories

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// TestTheCheckerTellsHistoriesApart holds the model and what becomes of unknown outcomes against histories written by hand.
func TestTheCheckerTellsHistoriesApart(t *testing.T) {
	t.Parallel()
	begins := func(token int) input { return input{kind: begin, token: token, lease: 1, keep: 1} }
	completes := func(token, answer int) input { return input{kind: complete, token: token, answer: answer, keep: 1} }
	releases := input{kind: release, token: 1}
	passes := func(units int) input { return input{kind: advance, lease: units} }
	is := func(v backend.Verdict) output { return output{verdict: v} }
	claimed := func(attempt int) output { return output{verdict: backend.Claimed, attempt: attempt} }
	replay := output{verdict: backend.Replay, attempt: 1, answer: 7}
	inFlight, kept, lost := is(backend.InFlight), is(backend.Kept), is(backend.Lost)
	nothing := output{unknown: true}
	op := func(call, ret int64, in input, out output) porcupine.Operation {
		if out.unknown {
			ret = forever
		}
		return porcupine.Operation{Call: call, Return: ret, Input: in, Output: out}
	}

	for name, c := range map[string]struct {
		ops  []porcupine.Operation
		fine bool
	}{
		"of two claims side by side one is in flight": {
			[]porcupine.Operation{op(1, 4, begins(1), inFlight), op(2, 3, begins(2), claimed(1))}, true,
		},
		"two claims side by side are both made": {
			[]porcupine.Operation{op(1, 4, begins(1), claimed(1)), op(2, 3, begins(2), claimed(1))}, false,
		},
		"the second claim is made, and the first in flight": {
			[]porcupine.Operation{op(1, 2, begins(1), inFlight), op(3, 4, begins(2), claimed(1))}, false,
		},
		"a lost claim was made": {
			[]porcupine.Operation{op(1, 0, begins(1), nothing), op(2, 3, begins(2), inFlight)}, true,
		},
		"a lost claim was not made": {
			[]porcupine.Operation{op(1, 0, begins(1), nothing), op(2, 3, begins(2), claimed(1))}, true,
		},
		"a lost claim was made late": {
			[]porcupine.Operation{
				op(1, 0, begins(1), nothing), op(2, 3, input{kind: lookup}, output{}), op(4, 5, begins(2), inFlight),
			}, true,
		},
		"a lost claim was made before it was asked for": {
			[]porcupine.Operation{op(1, 2, begins(2), inFlight), op(3, 0, begins(1), nothing)}, false,
		},
		"a lost claim was made twice": {
			[]porcupine.Operation{
				op(1, 0, begins(1), nothing), op(2, 3, begins(2), inFlight), op(4, 5, releases, kept), op(6, 7, begins(2), inFlight),
			}, false,
		},
		"a lost claim that was sent again was made twice": {
			[]porcupine.Operation{
				op(1, 0, begins(1), nothing), op(2, 0, begins(1), nothing),
				op(3, 4, begins(2), inFlight), op(5, 6, releases, kept), op(7, 8, begins(2), inFlight),
			}, true,
		},
		"a lost answer replays": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 0, completes(1, 7), nothing), op(4, 5, begins(2), replay)}, true,
		},
		"an answer replays that nobody gave": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 0, completes(1, 8), nothing), op(4, 5, begins(2), replay)}, false,
		},
		"a lost answer is there and then is not": {
			[]porcupine.Operation{
				op(1, 2, begins(1), claimed(1)), op(3, 0, completes(1, 7), nothing), op(4, 5, begins(2), replay), op(6, 7, begins(2), inFlight),
			}, false,
		},
		"a stale owner is told what is stored": {
			[]porcupine.Operation{
				op(1, 2, begins(1), claimed(1)), op(3, 4, passes(2), output{}), op(5, 6, begins(2), claimed(2)),
				op(7, 8, completes(2, 7), kept), op(9, 10, completes(1, 8), output{verdict: backend.Replay, attempt: 2, answer: 7}),
			}, true,
		},
		"a stale owner is told his own": {
			[]porcupine.Operation{
				op(1, 2, begins(1), claimed(1)), op(3, 4, passes(2), output{}), op(5, 6, begins(2), claimed(2)),
				op(7, 8, completes(2, 7), kept), op(9, 10, completes(1, 8), kept),
			}, false,
		},
		"a claim is taken over when its lease is over": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 4, passes(2), output{}), op(5, 6, begins(2), claimed(2))}, true,
		},
		"a claim is taken over while its lease is live": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 4, passes(1), output{}), op(5, 6, begins(2), claimed(2))}, false,
		},
		"a claim is in flight although its lease is over": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 4, passes(2), output{}), op(5, 6, begins(2), inFlight)}, false,
		},
		"an abandoned claim is forgotten": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 4, passes(3), output{}), op(5, 6, begins(2), claimed(1))}, true,
		},
		"a lease runs out while somebody asks": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 6, passes(2), output{}), op(4, 5, begins(2), inFlight)}, true,
		},
		"a released claim is lost": {
			[]porcupine.Operation{op(1, 2, begins(1), claimed(1)), op(3, 4, releases, kept), op(5, 6, releases, lost)}, true,
		},
		"a pruning that ended early goes on behind the record": {
			[]porcupine.Operation{
				op(1, 2, input{kind: begin, token: 1, lease: 1, holds: true}, claimed(1)), op(3, 4, passes(2), output{}),
				op(5, 6, input{kind: prune, resumes: true}, output{}),
			}, true,
		},
		"a pruning passes over the record": {
			[]porcupine.Operation{
				op(1, 2, input{kind: begin, token: 1, lease: 1, holds: true}, claimed(1)), op(3, 4, passes(2), output{}),
				op(5, 6, input{kind: prune}, output{}),
			}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(&plan{})
			h.ops = c.ops
			require.Equal(t, c.fine, h.check() == "", "%v", h)
		})
	}
}
