package histories

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

func TestHistoriesOnSQLite(t *testing.T) {
	t.Parallel()
	eachHistory(t, "SQLite", 2_000, lanes, func(t *testing.T, _ int, _ *count) func(*plan) *history {
		return openFile(t, t.TempDir()+"/records.db").play
	}, inMemory)
}

// file is a SQLite file with a handle for each client. What is between them and the file loses things in place of a network.
type file struct {
	t       *testing.T
	handles []*sqlbackend.Store
	times   times
}

func openFile(t *testing.T, name string) *file {
	t.Helper()
	f := &file{t: t}
	for range maxClients + 1 {
		db, s, err := sqlite.Open(t.Context(), name, sqlite.Synchronous("normal"), sqlite.BusyTimeout(patience))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		f.handles = append(f.handles, s)
		if f.times.back == nil {
			f.times = timesOf(t, db, "idem_records")
		}
	}
	return f
}

func (f *file) play(p *plan) *history {
	h := newHistory(p)
	var all, late sync.WaitGroup
	w := &wire{stage: &stage{history: h, pause: runtime.Gosched, await: h.await, spawn: late.Go}}
	w.stage.send = w.send
	w.failed = func(in input, err error) { f.t.Errorf("%v failed: %v\n%v", in, err, h) }
	w.pass = func(n int) { require.NoError(f.t, f.times.pass(f.t.Context(), p.ids(), units(n))) }
	for client := range p.scripts {
		w.callers = append(w.callers, &caller{plan: p, store: f.handles[client]})
	}
	for client := range p.scripts {
		all.Go(func() { w.play(f.t.Context(), client) })
	}
	all.Wait()
	late.Wait()
	require.NoError(f.t, f.times.remove(f.t.Context(), p.ids()))
	return h
}
