package itest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// killsAtPoints is how many processes are killed at named points on each backend, in a run that nothing multiplies.
const killsAtPoints = 384

// fate is what becomes of a key whose first attempt is killed at a point: how many effects it has in the end, and
// whether the outcome is unknown. The first attempt's effect in a transaction that did not commit is none.
type fate struct {
	guarantee idem.Guarantee
	point     point
	effects   int
	unknown   bool
	replayed  bool // the first attempt's answer is there
}

var fates = []fate{
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
		possible := slices.DeleteFunc(slices.Clone(fates), func(f fate) bool { return !sys.gives(f.guarantee) })
		for i, f := range possible {
			mine := rounds(i, each(killsAtPoints, len(possible)))
			if len(mine) == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%v, %s", f.guarantee, f.point), func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys)
				for group := range slices.Chunk(mine, sys.abreast(f.guarantee)) {
					f.strike(t, st, group)
				}
			})
		}
	})
}

// strike has a process for each call stop at the point, and kills it.
func (f fate) strike(t *testing.T, st storage, group []int) {
	t.Helper()
	calls, dead := make([]call, len(group)), make([]report, len(group))
	victims := st.crowd(t, len(group))
	for i, p := range victims {
		calls[i] = call{guarantee: f.guarantee, key: idem.Key(fmt.Sprint("key-", group[i]))}
		p.send(order{Call: 1, Guarantee: f.guarantee, Key: calls[i].key, Stop: f.point})
	}
	for i, p := range victims {
		dead[i] = p.arrival(1)
	}
	for _, p := range victims {
		p.kill()
	}
	lost := time.Now()
	tally.on(st.sys.name).kills.Add(int64(len(victims)))

	// Nobody has the storage open now: whoever comes has to clear up first.
	w := st.worker(t)
	for i, e := range w.finishAll(t.Context(), calls, lost) {
		f.check(t, w, calls[i], dead[i], e)
	}
	require.NoError(t, w.close())
}

// check judges what the call of a dead process came to.
func (f fate) check(t *testing.T, w *worker, c call, dead report, e end) {
	t.Helper()
	if f.unknown {
		require.ErrorIs(t, e.err, idem.ErrUnknownOutcome)
		require.Equal(t, backend.Unknown, w.state(t, c))
	} else {
		require.NoError(t, e.err)
		require.Equal(t, f.replayed, e.res.Replayed)
		require.Equal(t, f.replayed, len(dead.Own) == 1 && dead.Own[0] == e.res.Value.Run)
		w.requireReplay(t, c, e.res.Value)
	}
	require.Len(t, w.effectsOf(t, c), f.effects)
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
