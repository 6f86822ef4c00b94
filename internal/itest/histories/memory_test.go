package histories

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend/memtest"
)

// inMemoryName is what the store in memory is counted under.
const inMemoryName = "memory"

// onNetwork is how likely a call to a server meets trouble.
const onNetwork = 0.04

// inMemory is how likely a call in memory meets trouble.
const inMemory = 0.12

// playMemory plays a plan on a store in memory, in an order that follows from the plan's seed. around puts something
// around the store.
func playMemory(t *testing.T, p *plan, around func(*memtest.Store, func()) store) *history {
	t.Helper()
	h := newHistory(p)
	synctest.Test(t, func(t *testing.T) {
		turns, mem := newScheduler(p.seed), new(memtest.Store)
		w := &wire{stage: &stage{history: h, pause: turns.pause, spawn: turns.spawn}}
		w.failed = func(in input, err error) { t.Errorf("%v failed: %v\n%v", in, err, h) }
		w.pass = func(n int) { mem.Advance(units(n)) }
		w.stage.await = func(calls int) {
			for !h.hasBegun(calls) {
				turns.pause()
			}
		}
		w.stage.send = w.send
		on := around(mem, turns.pause)
		for client := range p.scripts {
			w.callers = append(w.callers, &caller{plan: p, store: on})
			turns.spawn(func() { w.play(t.Context(), client) })
		}
		turns.run()
	})
	return h
}

func bare(mem *memtest.Store, _ func()) store { return mem }

func TestHistoriesInMemory(t *testing.T) {
	t.Parallel()
	eachHistory(t, inMemoryName, 20_000, 4, func(t *testing.T, _ int, _ *count) func(*plan) *history {
		return func(p *plan) *history { return playMemory(t, p, bare) }
	}, inMemory)
}

func TestASeedTellsAHistoryInMemory(t *testing.T) {
	t.Parallel()
	for i := range rounds(50) {
		seed := firstSeed + uint64(i)
		one, other := playMemory(t, newPlan(seed, inMemory), bare), playMemory(t, newPlan(seed, inMemory), bare)
		require.Equal(t, one.plan.String(), other.plan.String())
		require.Equal(t, one.String(), other.String())
	}
}
