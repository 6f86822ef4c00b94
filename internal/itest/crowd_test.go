package itest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

func TestTwentyCallersWithOneKeyRunOnce(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		for i, guarantee := range sys.guarantees() {
			if guarantee == idem.Hold {
				continue // as Rerun, where nothing is lost
			}
			t.Run(guarantee.String(), func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys).calm()
				handles := []*worker{st.worker(t), st.worker(t)}
				mine := rounds(i, 1000)
				for _, round := range mine {
					c := call{guarantee: guarantee, key: idem.Key(fmt.Sprint("key-", round))}
					if round%2 == 1 {
						c.wait = patience
					}
					crowd(t, handles, 20, c)
				}
				n, err := handles[0].site.effects.count(t.Context())
				require.NoError(t, err)
				require.Equal(t, len(mine), n)
			})
		}
	})
}

// crowd has n callers make the call at once, on all handles by turns. Each must be told the one answer, or that the call
// is in flight if he does not wait.
func crowd(t *testing.T, handles []*worker, n int, c call) {
	t.Helper()
	var runs atomic.Int64
	c.began = func(string) { runs.Add(1) }
	told := make([]string, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			res, err := handles[i%len(handles)].do(t.Context(), c)
			told[i], errs[i] = res.Value.Run, err
		})
	}
	wg.Wait()
	tally.rounds.Add(1)
	require.EqualValues(t, 1, runs.Load())
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, idem.ErrInFlight)
			require.Zero(t, c.wait, "a caller who waits was sent away")
		}
	}
	requireOneAnswer(t, told)
}

// requireOneAnswer looks for two different ones; those who were told none have "".
func requireOneAnswer(t *testing.T, told []string) {
	t.Helper()
	told = slices.DeleteFunc(slices.Clone(told), func(run string) bool { return run == "" })
	slices.Sort(told)
	require.Len(t, slices.Compact(told), 1)
}

func TestFortyCallersInFourProcessesRunOnce(t *testing.T) {
	t.Parallel()
	inFourProcesses(t, 10, 20)
}

// A thousand callers are more than a busy machine serves within the time that a store has to answer. Who is told that it
// did not has run nothing, and only the one who ran may be told that his answer is not stored. With IDEM_TEST_TIMES=5 these are twenty rounds on each backend and guarantee.
func TestAThousandCallersInFourProcessesRunOnce(t *testing.T) {
	t.Parallel()
	inFourProcesses(t, 250, 4)
}

// inFourProcesses has so many callers in each of four processes make one call at once, in rounds.
func inFourProcesses(t *testing.T, callers, times int) {
	t.Helper()
	eachSystem(t, func(t *testing.T, sys system) {
		for i, guarantee := range sys.guarantees() {
			t.Run(guarantee.String(), func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys).calm()
				crowd, w := st.crowd(t, 4), st.worker(t)
				for _, round := range rounds(i, times) {
					o := order{Guarantee: guarantee, Key: idem.Key(fmt.Sprint("key-", round)), Wait: patience * time.Duration(round%2)}
					crossing(t, crowd, callers, o)
					had, err := w.site.effects.of(t.Context(), string(o.Key))
					require.NoError(t, err)
					require.Len(t, had, 1)
				}
				for _, p := range crowd {
					p.end()
				}
			})
		}
	})
}

// crossing has each process make the call so many times at once.
func crossing(t *testing.T, crowd []*process, callers int, o order) {
	t.Helper()
	all := make([]order, callers)
	for i := range all {
		all[i] = o
		all[i].Call = i + 1
	}
	for _, p := range crowd {
		p.send(all...)
	}
	var told []string
	runs, unstored, waited := 0, false, false
	for _, p := range crowd {
		for _, r := range p.outcomes(len(all)) {
			switch {
			case r.Code == idem.CodeUnavailable && callers > 10:
				require.Empty(t, r.Own, r.Err)
			case r.Code == idem.CodeNotStored && callers > 10:
				require.Len(t, r.Own, 1, r.Err)
				unstored = true
			case r.Code != idem.CodeNone:
				require.Equal(t, idem.CodeInFlight, r.Code, r.Err)
				waited = waited || o.Wait > 0
			}
			told = append(told, r.Told)
			runs += len(r.Own)
		}
	}
	tally.rounds.Add(1)
	require.Equal(t, 1, runs)
	require.False(t, waited && !unstored, "a caller who waits was sent away")
	requireOneAnswer(t, told)
}
