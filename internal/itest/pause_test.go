package itest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// pauses are where a process is stopped for longer than its lease.
var pauses = []struct {
	guarantee idem.Guarantee
	point     point
	obedient  bool // fn ends with its context
	alone     bool // nobody comes while it is stopped
	overtaken bool // who comes still runs when it goes on
}{
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
		for i, pause := range pauses {
			mine := rounds(i, 1)
			if len(mine) == 0 || pause.guarantee == idem.Tx && !sys.transacts {
				continue
			}
			name := fmt.Sprintf("%v, %s, obedient %v, alone %v, overtaken %v", pause.guarantee, pause.point, pause.obedient, pause.alone, pause.overtaken)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys)
				w := st.hasty(lease).worker(t)
				for _, round := range mine {
					c := call{guarantee: pause.guarantee, key: idem.Key(fmt.Sprint("key-", round))}
					p := st.start(t)
					p.send(order{Call: 1, Guarantee: c.guarantee, Key: c.key, Stop: pause.point, Obedient: pause.obedient})
					p.arrival(1)
					p.pause()
					tally.stops.Add(1)
					if pause.overtaken {
						w.overtake(t, c, p)
						continue
					}
					m := w.whilePaused(t, c, pause.alone)
					p.resume()
					if !pause.obedient {
						p.send(order{GoOn: 1})
					}
					w.requireTruth(t, c, m, p.outcome(1))
					p.end()
				}
			})
		}
	})
}

// meanwhile is what a client was told while the first attempt was paused. The zero value: nothing.
type meanwhile struct {
	told    string // the run that answered him
	unknown bool   // that the outcome is unknown
}

// whilePaused lets the lease of the first attempt run out and, unless nobody comes, has a client finish the same call.
func (w *worker) whilePaused(t *testing.T, c call, alone bool) meanwhile {
	t.Helper()
	paused := time.Now()
	switch {
	case c.guarantee == idem.Tx:
		w.requireRefusals(t, c)
		return meanwhile{}
	case alone:
		require.Eventually(t, func() bool {
			rec, err := w.guards[c.guarantee].Lookup(t.Context(), c.key, owner)
			return err == nil && rec.State == backend.Pending && rec.LeaseLeft < 0
		}, patience, lease/20)
		return meanwhile{}
	}
	res, err := w.finish(t.Context(), c, paused)
	if c.guarantee == idem.Hold {
		require.ErrorIs(t, err, idem.ErrUnknownOutcome)
		return meanwhile{unknown: true}
	}
	require.NoError(t, err)
	require.False(t, res.Replayed)
	return meanwhile{told: res.Value.Run}
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
	p.end()
	close(goOn)
	require.NoError(t, <-over)
	require.False(t, res.Replayed)
	require.NotContains(t, stale.Own, res.Value.Run)
	w.requireReplay(t, c, res.Value)
}

// requireRefusals asks for longer than a lease: an open transaction has none, so that nobody may take it over.
func (w *worker) requireRefusals(t *testing.T, c call) {
	t.Helper()
	for since := time.Now(); time.Since(since) <= lease; {
		_, err := w.do(t.Context(), c)
		require.Contains(t, []idem.Code{idem.CodeInFlight, idem.CodeUnavailable}, idem.CodeOf(err))
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
