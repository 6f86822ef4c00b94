package itest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	modernc "modernc.org/sqlite"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
	"github.com/idem-go/idem/internal/itest/wallclock"
)

// underClock is a storage whose clock the test moves.
type underClock struct {
	storage
	set func(offset time.Duration) // from the right time
}

// eachClocked runs f as a parallel subtest on every backend, with a clock of the subtest's own.
func eachClocked(t *testing.T, f func(t *testing.T, c underClock)) {
	t.Helper()
	for _, p := range privates {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			clock := wallclock.New(t)
			_, st := p.begin(t, p.clock(clock)...)
			f(t, underClock{st, clock.Set})
		})
	}
	t.Run(sqliteSystem.name, func(t *testing.T) {
		t.Parallel()
		f(t, clockedSQLite(t))
	})
}

// clockedSQLite is a file in whose statements it is another time. SQLite's clock is that of its process, and a Go process
// asks the kernel and no library for it, so nothing can stand between them. A driver of the test's own, which answers
// in place of the function that idem's statements ask, can.
func clockedSQLite(t *testing.T) underClock {
	t.Helper()
	var offset atomic.Int64
	name := "sqlite of " + t.Name() + freshName()
	d := new(modernc.Driver)
	d.MustRegisterDeterministicScalarFunction("unixepoch", 1, func(*modernc.FunctionContext, []driver.Value) (driver.Value, error) {
		return float64(time.Now().Add(time.Duration(offset.Load())).UnixMilli()) / 1000, nil
	})
	sql.Register(name, d)
	sys := sqliteSystem
	sys.open = func(ctx context.Context, at string) (*site, error) { return openSQLiteBy(ctx, name, at) }
	return underClock{newStorage(t, sys), func(d time.Duration) { offset.Store(int64(d)) }}
}

// openSQLiteBy is openSQLite by another driver.
func openSQLiteBy(ctx context.Context, driver, at string) (*site, error) {
	db, err := sqlx.Open(driver, "file:"+sqliteFile(at)+"?"+sqliteQuery.Encode()+"&_pragma=journal_mode(wal)")
	if err != nil {
		return nil, err
	}
	beside, err := openBeside(at)
	if err == nil {
		err = sqlbackend.Migrate(ctx, db, sqlite.Dialect())
	}
	store, failed := sqlbackend.New(ctx, db, sqlite.Dialect())
	if err = errors.Join(err, failed); err != nil {
		return nil, errors.Join(err, db.Close(), beside.Close())
	}
	on := sqlEffects{on: beside, bind: sqlx.QUESTION}
	return &site{
		store: store, staged: store, effects: on, doTx: sqlDoTx(on.bind), prepare: on.create,
		close: func() error { return errors.Join(db.Close(), beside.Close()) },
	}, nil
}

// jumps is how often each clock jumps under load, in a run that nothing multiplies.
const jumps = 20

// The clock jumps an hour ahead and back while callers are at work: the invariants hold.
func TestAClockThatJumpsUnderLoadBreaksNothing(t *testing.T) {
	t.Parallel()
	eachClocked(t, func(t *testing.T, c underClock) {
		l := c.startLoad(t)
		for _, round := range rounds(0, jumps) {
			l.await(t, 10)
			c.set(time.Duration(round%3-1) * time.Hour) // an hour behind, the right time, an hour ahead
			<-time.After(rand.N(5 * time.Millisecond))  // nothing to wait for: any moment will do
			tally.on(c.sys.name).jumps.Add(1)
		}
		c.set(0)
		l.await(t, 10)
		tally.on(c.sys.name).checked.Add(l.audit(t))
	})
}

// What is stored, and what is under way, when the clock jumps an hour.
func TestWhatAClockThatJumpsChanges(t *testing.T) {
	t.Parallel()
	eachClocked(t, func(t *testing.T, c underClock) {
		for name, offset := range map[string]time.Duration{"ahead": time.Hour, "back": -time.Hour} {
			t.Run(name, func(t *testing.T) {
				c.set(0)
				c.storage = c.calm()
				j := &jump{underClock: c, worker: c.worker(t), brief: c.storage.worker(t, idem.Retention(30*time.Minute)), ahead: offset > 0}
				j.name = name
				u := j.begin(t, j.call(j.sys.guarantees()[len(j.sys.guarantees())-1], "alone"))
				c.set(offset)
				j.goesOn(t, u)
				c.set(0)
				j.prepare(t)
				c.set(offset)
				j.replays(t)
				j.leases(t)
				for _, u := range j.underWay {
					j.goesOn(t, u)
				}
				c.set(0)
				j.requireRecovery(t)
			})
		}
	})
}

// jump is what there is when the clock jumps. Leases are a minute long.
type jump struct {
	underClock
	*worker
	brief *worker // keeps its answers for half an hour
	name  string
	ahead bool

	kept, short idem.Result[answer] // the answers of keys "stored" and "brief"
	dead        backend.Claim       // of a call whose process is gone
	underWay    []*underWay
}

// underWay is a call that is running.
type underWay struct {
	call call
	goOn chan struct{}
	over chan struct{}
	res  idem.Result[answer]
	err  error
}

func (j *jump) call(gt idem.Guarantee, what string) call {
	return call{guarantee: gt, key: idem.Key(fmt.Sprintf("%s, %v: %s", j.name, gt, what))}
}

func (j *jump) prepare(t *testing.T) {
	t.Helper()
	var err error
	j.kept, err = j.do(t.Context(), j.call(idem.Rerun, "stored"))
	require.NoError(t, err)
	j.short, err = j.brief.do(t.Context(), j.call(idem.Rerun, "brief"))
	require.NoError(t, err)
	same, err := j.guards[idem.Rerun].Lookup(t.Context(), j.call(idem.Rerun, "stored").key, owner)
	require.NoError(t, err)
	dead := j.call(idem.Rerun, "dead")
	j.dead = backend.Claim{
		ID: backend.NewID("itest", string(owner), string(dead.key)), Token: backend.NewToken(), Fingerprint: same.Fingerprint, Lease: time.Minute, Retention: 24 * time.Hour,
		Guard: "itest", User: string(owner), Key: string(dead.key),
	}
	g, err := j.site.store.Begin(t.Context(), j.dead)
	require.NoError(t, err)
	require.Equal(t, backend.Claimed, g.Verdict)
	for _, gt := range []idem.Guarantee{idem.Rerun, idem.Hold} {
		j.underWay = append(j.underWay, j.begin(t, j.call(gt, "under way")))
	}
}

// begin makes a call that stops before its effect.
func (j *jump) begin(t *testing.T, c call) *underWay {
	t.Helper()
	u := &underWay{call: c, goOn: make(chan struct{}), over: make(chan struct{})}
	arrived := make(chan struct{})
	s := &stopper{at: beforeEffect, reached: func() { close(arrived) }, goOn: u.goOn}
	go func() {
		defer close(u.over)
		u.res, u.err = j.do(s.with(t.Context()), c)
	}()
	select {
	case <-arrived:
	case <-u.over:
		require.FailNow(t, "the call did not run", "%v", u.err)
	}
	return u
}

// replays: an answer replays until its retention is over by the clock, and is no answer to another request.
func (j *jump) replays(t *testing.T) {
	t.Helper()
	stored := j.call(idem.Rerun, "stored")
	again, err := j.do(t.Context(), stored)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, j.kept.Value, again.Value)
	require.GreaterOrEqual(t, again.Age, time.Duration(0), "an age below zero")
	other := stored
	other.cents = 1
	_, err = j.do(t.Context(), other)
	require.ErrorIs(t, err, idem.ErrMismatch)

	short, err := j.brief.do(t.Context(), j.call(idem.Rerun, "brief"))
	require.NoError(t, err)
	require.Equal(t, !j.ahead, short.Replayed, "retention goes by the clock")
	if j.ahead {
		require.Equal(t, 1, short.Attempt)
		require.NotEqual(t, j.short.Value, short.Value)
	} else {
		require.Equal(t, j.short.Value, short.Value)
	}
}

// leases of who cannot renew them end early, or late, by as much as the clock has jumped.
func (j *jump) leases(t *testing.T) {
	t.Helper()
	c := j.call(idem.Rerun, "dead")
	res, err := j.do(t.Context(), c)
	if j.ahead {
		require.NoError(t, err)
		require.Equal(t, 2, res.Attempt, "its lease was over at once")
		return
	}
	var busy *idem.InFlightError
	require.ErrorAs(t, err, &busy)
	require.LessOrEqual(t, busy.RetryAfter, 30*time.Second)
	require.Greater(t, j.left(t, c), time.Hour-time.Minute, "its lease did not become longer")
	// Who is alive renews, and then the lease is as long as ever.
	g, err := j.site.store.Renew(t.Context(), j.dead.ID, j.dead.Token, backend.Renewal{Lease: time.Minute, Retention: j.dead.Retention})
	require.NoError(t, err)
	require.Equal(t, backend.Kept, g.Verdict)
	require.LessOrEqual(t, j.left(t, c), time.Minute)
}

func (j *jump) left(t *testing.T, c call) time.Duration {
	t.Helper()
	rec, err := j.guards[c.guarantee].Lookup(t.Context(), c.key, owner)
	require.NoError(t, err)
	return rec.LeaseLeft
}

// goesOn: a call that was under way comes to its end after another has asked for the same.
func (j *jump) goesOn(t *testing.T, u *underWay) {
	t.Helper()
	other, err := j.do(t.Context(), u.call)
	switch {
	case !j.ahead || u.call.guarantee == idem.Tx: // a transaction has no lease
		require.Contains(t, []idem.Code{idem.CodeInFlight, idem.CodeUnavailable}, idem.CodeOf(err))
	case u.call.guarantee == idem.Hold:
		require.ErrorIs(t, err, idem.ErrUnknownOutcome)
	default:
		require.NoError(t, err)
		require.Equal(t, 2, other.Attempt)
	}
	close(u.goOn)
	<-u.over
	switch {
	case err == nil: // it was overtaken, and is told the other's answer
		require.NoError(t, u.err)
		require.True(t, u.res.Replayed)
		require.Equal(t, other.Value, u.res.Value)
		require.Len(t, j.effectsOf(t, u.call), 2)
	case errors.Is(err, idem.ErrUnknownOutcome):
		require.ErrorIs(t, u.err, idem.ErrLeaseLost)
		require.Equal(t, backend.Unknown, j.state(t, u.call))
		require.Len(t, j.effectsOf(t, u.call), 1)
	default:
		require.NoError(t, u.err)
		j.requireReplay(t, u.call, u.res.Value)
		require.Len(t, j.effectsOf(t, u.call), 1)
	}
}

// requireRecovery: the clock is right again, and everything that was stored is there.
func (j *jump) requireRecovery(t *testing.T) {
	t.Helper()
	j.requireReplay(t, j.call(idem.Rerun, "stored"), j.kept.Value)
	if j.ahead {
		return
	}
	j.set(2 * time.Minute) // a lease and more
	res, err := j.do(t.Context(), j.call(idem.Rerun, "dead"))
	require.NoError(t, err)
	require.Equal(t, 2, res.Attempt)
	j.set(0)
}
