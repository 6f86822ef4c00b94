package histories

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// repeats is how often the plan of a seed that the environment names is played first where the seed does not tell the
// history.
const repeats = 100

// planOf writes the plan of the i-th history.
func planOf(i int, again bool, trouble float64) *plan {
	at := i
	if again && seeded {
		at = max(0, i-repeats)
	}
	p := newPlan(firstSeed+uint64(at), trouble)
	p.round = i
	return p
}

// eachHistory checks n histories of a backend, or as many as rounds says, by so many players side by side. open makes a
// player, who plays a plan and returns the history of it. A share of the calls meets trouble.
func eachHistory(t *testing.T, name string, n, players int, open func(t *testing.T, player int, n *count) func(*plan) *history, trouble float64) {
	t.Helper()
	n = rounds(n)
	total, counts := newCount(), make([]*count, players)
	var failed atomic.Bool
	t.Run("players", func(t *testing.T) {
		for player := range players {
			counts[player] = newCount()
			t.Run(fmt.Sprint(player), func(t *testing.T) {
				t.Parallel()
				play := open(t, player, counts[player])
				for i := player; i < n && !failed.Load(); i += players {
					h := play(planOf(i, name != inMemoryName, trouble))
					counts[player].add(h)
					if wrong := h.check(); wrong != "" {
						failed.Store(true)
						t.Errorf("IDEM_TEST_SEED=%d begins with this one: %s", h.plan.seed, wrong)
					}
				}
			})
		}
	})
	for _, c := range counts {
		total.plus(c)
	}
	tally.of(name, total)
	if !t.Failed() && !testing.Short() {
		t.Logf("the first seed was %d; %v", firstSeed, total.told)
		require.Empty(t, total.missing(), "no history came upon it; the first seed was %d", firstSeed)
	}
}
