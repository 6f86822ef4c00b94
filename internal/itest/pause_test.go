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

// stops is how many processes are stopped on each backend, in a run that nothing multiplies.
const stops = 100

// pause is where a process is stopped for longer than its lease.
type pause struct {
	guarantee idem.Guarantee
	point     point
	obedient  bool // fn ends with its context
	alone     bool // nobody comes while it is stopped
	overtaken bool // who comes still runs when it goes on
}

var pauses = []pause{
	{guarantee: idem.Rerun, point: afterClaim},
	{guarantee: idem.Rerun, point: beforeEffect},
	{guarantee: idem.Rerun, point: beforeEffect, obedient: true},
	{guarantee: idem.Rerun, point: afterEffect},
	{guarantee: idem.Rerun, point: afterEffect, obedient: true},
	{guarantee: idem.Rerun, point: beforeComplete},
	{guarantee: idem.Rerun, point: beforeComplete, alone: true},
	{guarantee: idem.Rerun, point: beforeComplete, overtaken: true},
	{guarantee: idem.Hold, point: beforeEffect},
	{guarantee: idem.Hold, point: afterEffect},
	{guarantee: idem.Hold, point: afterEffect, obedient: true},
	{guarantee: idem.Hold, point: beforeComplete},
	{guarantee: idem.Hold, point: beforeComplete, alone: true},
	{guarantee: idem.Tx, point: afterEffect},
	{guarantee: idem.Tx, point: beforeComplete},
	{guarantee: idem.Tx, point: beforeCommit},
}

func TestAnAttemptThatWasPausedPastItsLeaseNeverTellsAnAnswerOfItsOwn(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		st := newStorage(t, sys)
		w, crew := st.hasty(lease).worker(t), st.crowd(t, 8)
		possible := slices.DeleteFunc(slices.Clone(pauses), func(p pause) bool { return !sys.gives(p.guarantee) })
		for i, p := range possible {
			mine := rounds(i, each(stops, len(possible)))
			if len(mine) == 0 {
				continue
			}
			name := fmt.Sprintf("%v, %s, obedient %v, alone %v, overtaken %v", p.guarantee, p.point, p.obedient, p.alone, p.overtaken)
			t.Run(name, func(t *testing.T) {
				for group := range slices.Chunk(mine, min(len(crew), sys.abreast(p.guarantee))) {
					p.strike(t, w, crew[:len(group)], sys.single, fmt.Sprint("row ", i), group)
					tally.on(sys.name).stops.Add(int64(len(group)))
				}
			})
		}
		for _, child := range crew {
			child.t = t
			child.end()
		}
	})
}

// strike has processes stop at the point, each in a call of its own, for longer than a lease.
func (p pause) strike(t *testing.T, w *worker, crew []*process, single bool, name string, group []int) {
	t.Helper()
	calls := make([]call, len(group))
	for i, child := range crew {
		child.t = t
		calls[i] = call{guarantee: p.guarantee, key: idem.Key(fmt.Sprintf("%s, key %d", name, group[i]))}
		child.send(order{Call: 1, Guarantee: p.guarantee, Key: calls[i].key, Stop: p.point, Obedient: p.obedient})
		child.arrival(1)
		if single {
			child.holdStill()
		}
		child.pause()
	}
	if p.overtaken {
		for i, child := range crew {
			w.overtake(t, calls[i], child)
		}
		return
	}
	for i, m := range w.whilePaused(t, p, calls) {
		child := crew[i]
		child.resume()
		if !p.obedient {
			child.send(order{GoOn: 1})
		}
		w.requireTruth(t, calls[i], m, child.outcome(1))
	}
}

// meanwhile is what a client was told while the first attempt was paused. The zero value: nothing.
type meanwhile struct {
	told    string // the run that answered him
	unknown bool   // that the outcome is unknown
}

// whilePaused lets the leases of the first attempts run out and, unless nobody comes, has clients finish the same calls.
func (w *worker) whilePaused(t *testing.T, p pause, calls []call) []meanwhile {
	t.Helper()
	all := make([]meanwhile, len(calls))
	switch {
	case p.guarantee == idem.Tx:
		w.requireRefusals(t, calls)
	case p.alone:
		for _, c := range calls {
			w.requireLapse(t, c)
		}
	default:
		for i, e := range w.finishAll(t.Context(), calls, time.Now()) {
			if p.guarantee == idem.Hold {
				require.ErrorIs(t, e.err, idem.ErrUnknownOutcome)
				all[i].unknown = true
				continue
			}
			require.NoError(t, e.err)
			require.False(t, e.res.Replayed)
			all[i].told = e.res.Value.Run
		}
	}
	return all
}

// requireLapse waits until the lease of a call is over, which nobody takes over.
func (w *worker) requireLapse(t *testing.T, c call) {
	t.Helper()
	require.Eventually(t, func() bool {
		rec, err := w.guards[c.guarantee].Lookup(t.Context(), c.key, owner)
		return err == nil && rec.State == backend.Pending && rec.LeaseLeft < 0
	}, patience, lease/20)
}

// overtake takes the call over, and the paused attempt goes on while the new one runs: the record is claimed again, but
// not by it.
func (w *worker) overtake(t *testing.T, c call, p *process) {
	t.Helper()
	c.wait = patience
	arrived, goOn, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s := &stopper{at: afterEffect, reached: func() { close(arrived) }, goOn: goOn}
	var res idem.Result[answer]
	go func() {
		var err error
		res, err = w.do(s.with(t.Context()), c)
		over <- err
	}()
	select {
	case <-arrived:
	case err := <-over:
		require.FailNow(t, "nothing was taken over", "%+v, %v", res, err)
	}
	p.resume()
	p.send(order{GoOn: 1})
	stale := p.outcome(1)
	require.Equal(t, idem.CodeLeaseLost, stale.Code, "%+v", stale)
	close(goOn)
	require.NoError(t, <-over)
	require.False(t, res.Replayed)
	require.NotContains(t, stale.Own, res.Value.Run)
	w.requireReplay(t, c, res.Value)
}

// requireRefusals asks for longer than a lease: an open transaction has none, so that nobody may take it over.
func (w *worker) requireRefusals(t *testing.T, calls []call) {
	t.Helper()
	for since := time.Now(); time.Since(since) <= lease; {
		for _, c := range calls {
			_, err := w.do(t.Context(), c)
			require.Contains(t, []idem.Code{idem.CodeInFlight, idem.CodeUnavailable}, idem.CodeOf(err))
		}
	}
}

// requireTruth judges what the paused attempt was told when it was over.
func (w *worker) requireTruth(t *testing.T, c call, m meanwhile, r report) {
	t.Helper()
	had := w.effectsOf(t, c)
	switch {
	case m.unknown:
		require.Equal(t, idem.CodeLeaseLost, r.Code, "%+v", r)
		require.Equal(t, backend.Unknown, w.state(t, c))
		require.LessOrEqual(t, len(had), 1)
		return
	case m.told == "": // nobody else ran: its own answer is the stored one
		require.Equal(t, idem.CodeNone, r.Code, r.Err)
		require.Equal(t, r.Own, []string{r.Told})
		require.Equal(t, r.Own, had)
		m.told = r.Told
	case r.Code != idem.CodeLeaseLost:
		require.Equal(t, idem.CodeNone, r.Code, r.Err)
		require.Equal(t, m.told, r.Told)
		require.True(t, r.Replayed)
		require.NotContains(t, r.Own, r.Told)
	}
	require.Contains(t, had, m.told)
	w.requireReplay(t, c, answer{Run: m.told})
}
