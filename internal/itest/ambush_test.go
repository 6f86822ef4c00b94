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

func TestAProcessKilledAtAnyTimeLeavesNothingWrong(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		for i, guarantee := range sys.guarantees() {
			t.Run(guarantee.String(), func(t *testing.T) {
				t.Parallel()
				a := newAmbush(t, sys, guarantee)
				for _, round := range rounds(i, 20) {
					a.strike(t, round)
				}
				a.audit(t)
			})
		}
	})
}

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
	for round := range 2 { // the second shows how long it takes
		p := a.st.start(t)
		orders, keys := a.batch(fmt.Sprint("clocked-", round))
		began := time.Now()
		p.send(orders...)
		p.outcomes(len(orders))
		a.span = time.Since(began)
		p.end()
		a.settle(t, p.told(keys), keys, time.Now())
	}
	return a
}

// batch is what a child is killed at: calls with four keys, two of which have two callers.
func (a *ambush) batch(name string) (orders []order, keys map[int]idem.Key) {
	keys = map[int]idem.Key{}
	for i, k := range []int{0, 1, 2, 3, 0, 1} {
		number := i + 1
		keys[number] = idem.Key(fmt.Sprintf("%s-%d", name, k))
		orders = append(orders, order{Call: number, Guarantee: a.guarantee, Key: keys[number]})
	}
	return orders, keys
}

// strike kills a child at some time while it is at a batch.
func (a *ambush) strike(t *testing.T, round int) {
	t.Helper()
	p := a.st.start(t)
	orders, keys := a.batch(fmt.Sprint("round-", round))
	p.send(orders...)
	<-time.After(rand.N(a.span)) // nothing to wait for: any moment will do
	p.kill()
	lost := time.Now()
	tally.ambushes.Add(1)
	tally.cut.Add(int64(len(orders)) - int64(countOver(p.heard)))
	a.settle(t, p.told(keys), keys, lost)
}

func countOver(heard []report) (n int) {
	for _, r := range heard {
		if r.Over {
			n++
		}
	}
	return n
}

// settle has two clients finish every key and checks what each key came to. told is what calls were told before they
// were lost.
func (a *ambush) settle(t *testing.T, told map[idem.Key][]string, keys map[int]idem.Key, lost time.Time) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[idem.Key][]error{}
	distinct := slices.Compact(slices.Sorted(maps.Values(keys)))
	for _, key := range slices.Concat(distinct, distinct) {
		wg.Go(func() {
			res, err := a.witness.finish(t.Context(), call{guarantee: a.guarantee, key: key}, lost)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[key] = append(failed[key], err)
				return
			}
			told[key] = append(told[key], res.Value.Run)
		})
	}
	wg.Wait()
	for _, key := range distinct {
		a.check(t, call{guarantee: a.guarantee, key: key}, told[key], failed[key])
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
