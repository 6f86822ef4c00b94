package itest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// killsAtRandom is how many processes are killed at random times on each backend, in a run that nothing multiplies.
const killsAtRandom = 120

func TestAProcessKilledAtAnyTimeLeavesNothingWrong(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		for i, guarantee := range sys.guarantees() {
			t.Run(guarantee.String(), func(t *testing.T) {
				t.Parallel()
				mine := rounds(i, each(killsAtRandom, len(sys.guarantees())))
				a := newAmbush(t, sys, guarantee)
				for group := range slices.Chunk(mine, ambushed) {
					a.strike(t, group)
				}
				a.audit(t)
			})
		}
	})
}

// ambushed is how many children work side by side, and are killed.
const ambushed = 2

// ambush kills children that make calls, while another process, this one, has the storage open too.
type ambush struct {
	guarantee idem.Guarantee
	st        storage
	witness   *worker
	span      time.Duration // what a batch takes
	answered  int           // keys that have an answer
	unknown   int           // keys whose outcome is unknown
	effects   map[int]int   // how many keys had so many effects
}

func newAmbush(t *testing.T, sys system, guarantee idem.Guarantee) *ambush {
	t.Helper()
	a := &ambush{guarantee: guarantee, st: newStorage(t, sys), effects: map[int]int{}}
	a.witness = a.st.worker(t)
	children := a.st.crowd(t, ambushed)
	names := make([]int, ambushed)
	for i := range names {
		names[i] = i
	}
	began := time.Now()
	batches := a.send("clocked", children, names)
	for i, p := range children {
		p.outcomes(len(batches[i]))
	}
	a.span = time.Since(began) // of children as fresh as those that are killed
	a.settle(t, children, batches, time.Now())
	for _, p := range children {
		p.end()
	}
	return a
}

// batch is what a child is killed at: the keys of its calls, by their numbers. Two of four keys have two callers.
type batch map[int]idem.Key

// send gives each child a batch of its own.
func (a *ambush) send(name string, children []*process, rounds []int) []batch {
	all := make([]batch, len(children))
	for i, p := range children {
		p.heard = nil
		all[i] = batch{}
		var orders []order
		for j, k := range []int{0, 1, 2, 3, 0, 1} {
			key := idem.Key(fmt.Sprintf("%s-%d-%d", name, rounds[i], k))
			all[i][j+1] = key
			orders = append(orders, order{Call: j + 1, Guarantee: a.guarantee, Key: key})
		}
		p.send(orders...)
	}
	return all
}

// strike kills children, each at some time while it is at a batch.
func (a *ambush) strike(t *testing.T, group []int) {
	t.Helper()
	children := a.st.crowd(t, len(group))
	batches := a.send("round", children, group)
	errs := make([]error, len(group))
	var killers sync.WaitGroup
	for i, p := range children {
		killers.Go(func() {
			<-time.After(rand.N(a.span)) // nothing to wait for: any moment will do
			errs[i] = p.cmd.Process.Kill()
		})
	}
	killers.Wait()
	toll := tally.on(a.st.sys.name)
	for i, p := range children {
		require.NoError(t, errs[i])
		p.bury()
		toll.ambushes.Add(1)
		toll.cut.Add(int64(len(batches[i])) - int64(countOver(p.heard)))
	}
	a.settle(t, children, batches, time.Now())
}

func countOver(heard []report) (n int) {
	for _, r := range heard {
		if r.Over {
			n++
		}
	}
	return n
}

// settle has two clients finish every key, and holds what each key came to against what the children's calls were told.
func (a *ambush) settle(t *testing.T, children []*process, batches []batch, lost time.Time) {
	t.Helper()
	told, failed := map[idem.Key][]string{}, map[idem.Key][]error{}
	var calls []call
	for i, p := range children {
		maps.Copy(told, p.told(batches[i]))
		for _, key := range slices.Compact(slices.Sorted(maps.Values(batches[i]))) {
			c := call{guarantee: a.guarantee, key: key}
			calls = append(calls, c, c)
		}
	}
	for i, e := range a.witness.finishAll(t.Context(), calls, lost) {
		if key := calls[i].key; e.err != nil {
			failed[key] = append(failed[key], e.err)
		} else {
			told[key] = append(told[key], e.res.Value.Run)
		}
	}
	for i := 0; i < len(calls); i += 2 {
		a.check(t, calls[i], told[calls[i].key], failed[calls[i].key])
	}
}

// check judges one key: what everybody was told about it, and its effects.
func (a *ambush) check(t *testing.T, c call, told []string, failed []error) {
	t.Helper()
	had := a.witness.effectsOf(t, c)
	a.effects[len(had)]++
	if a.guarantee == idem.Hold && len(failed) > 0 {
		for _, err := range failed {
			require.ErrorIs(t, err, idem.ErrUnknownOutcome)
		}
		require.Empty(t, told, "an outcome that is unknown was told")
		require.Equal(t, backend.Unknown, a.witness.state(t, c))
		require.LessOrEqual(t, len(had), 1)
		a.unknown++
		return
	}
	require.Empty(t, failed)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(told))), 1, "there are two answers")
	a.witness.requireReplay(t, c, answer{Run: told[0]})
	require.Contains(t, had, told[0], "the answer is that of a run without an effect")
	if a.guarantee != idem.Rerun {
		require.Len(t, had, 1)
	}
	a.answered++
}

// audit looks at all keys together.
func (a *ambush) audit(t *testing.T) {
	t.Helper()
	n, err := a.witness.site.effects.count(t.Context())
	require.NoError(t, err)
	t.Logf("batches of %v; %d keys with an answer, %d unknown; keys by effects: %v", a.span, a.answered, a.unknown, a.effects)
	switch a.guarantee {
	case idem.Rerun:
		require.GreaterOrEqual(t, n, a.answered)
	case idem.Hold:
		require.LessOrEqual(t, n, a.answered+a.unknown)
	case idem.Tx:
		require.Equal(t, a.answered, n)
	}
}
