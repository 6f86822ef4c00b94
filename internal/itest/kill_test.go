package itest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// fates are what becomes of a key whose first attempt is killed at a point: how many effects it has in the end, and
// whether the outcome is unknown. The first attempt's effect in a transaction that did not commit is none.
var fates = []struct {
	guarantee idem.Guarantee
	point     point
	effects   int
	unknown   bool
	replayed  bool // the first attempt's answer is there
}{
	{guarantee: idem.Rerun, point: afterClaim, effects: 1},
	{guarantee: idem.Rerun, point: beforeEffect, effects: 1},
	{guarantee: idem.Rerun, point: afterEffect, effects: 2},
	{guarantee: idem.Rerun, point: beforeComplete, effects: 2},
	{guarantee: idem.Rerun, point: afterComplete, effects: 1, replayed: true},
	{guarantee: idem.Hold, point: afterClaim, effects: 0, unknown: true},
	{guarantee: idem.Hold, point: beforeEffect, effects: 0, unknown: true},
	{guarantee: idem.Hold, point: afterEffect, effects: 1, unknown: true},
	{guarantee: idem.Hold, point: beforeComplete, effects: 1, unknown: true},
	{guarantee: idem.Hold, point: afterComplete, effects: 1, replayed: true},
	{guarantee: idem.Tx, point: afterClaim, effects: 1},
	{guarantee: idem.Tx, point: beforeEffect, effects: 1},
	{guarantee: idem.Tx, point: afterEffect, effects: 1},
	{guarantee: idem.Tx, point: beforeComplete, effects: 1},
	{guarantee: idem.Tx, point: beforeCommit, effects: 1},
	{guarantee: idem.Tx, point: afterCommit, effects: 1, replayed: true},
}

func TestAKilledAttemptEndsAsItsGuaranteeSays(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		for i, fate := range fates {
			mine := rounds(i, 5)
			if len(mine) == 0 || fate.guarantee == idem.Tx && !sys.transacts {
				continue
			}
			t.Run(fmt.Sprintf("%v, %s", fate.guarantee, fate.point), func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys)
				for _, round := range mine {
					c := call{guarantee: fate.guarantee, key: idem.Key(fmt.Sprint("key-", round))}
					victim := st.start(t)
					victim.send(order{Call: 1, Guarantee: c.guarantee, Key: c.key, Stop: fate.point})
					dead := victim.arrival(1)
					victim.kill()
					lost := time.Now()
					tally.kills.Add(1)

					// Nobody has the storage open now: whoever comes has to clear up first.
					w := st.worker(t)
					res, err := w.finish(t.Context(), c, lost)
					if fate.unknown {
						require.ErrorIs(t, err, idem.ErrUnknownOutcome)
						require.Equal(t, backend.Unknown, w.state(t, c))
					} else {
						require.NoError(t, err)
						require.Equal(t, fate.replayed, res.Replayed)
						require.Equal(t, fate.replayed, len(dead.Own) == 1 && dead.Own[0] == res.Value.Run)
						w.requireReplay(t, c, res.Value)
					}
					require.Len(t, w.effectsOf(t, c), fate.effects)
					require.NoError(t, w.close())
				}
			})
		}
	})
}

// state is that of the record of a call.
func (w *worker) state(t *testing.T, c call) backend.State {
	t.Helper()
	rec, err := w.guards[c.guarantee].Lookup(t.Context(), c.key, owner)
	require.NoError(t, err)
	return rec.State
}

// effectsOf returns the runs that had an effect.
func (w *worker) effectsOf(t *testing.T, c call) []string {
	t.Helper()
	runs, err := w.site.effects.of(t.Context(), string(c.key))
	require.NoError(t, err)
	return runs
}

// requireReplay asks for the stored answer.
func (w *worker) requireReplay(t *testing.T, c call, want answer) {
	t.Helper()
	res, err := w.do(t.Context(), c)
	require.NoError(t, err)
	require.True(t, res.Replayed)
	require.Equal(t, want, res.Value)
	require.Equal(t, backend.Done, w.state(t, c))
}
