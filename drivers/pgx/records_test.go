package pgx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func claimOf(key string) backend.Claim {
	return backend.Claim{
		ID:          backend.NewID("guard", "user", key),
		Token:       backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("request")),
		Lease:       time.Minute,
		Retention:   time.Hour,
		Guard:       "guard", User: "user", Key: key,
	}
}

// again is the claim of another attempt at the same request.
func again(c backend.Claim) backend.Claim {
	c.Token = backend.NewToken()
	return c
}

func otherRequest(c backend.Claim) backend.Claim {
	c = again(c)
	c.Fingerprint = backend.NewFingerprint([]byte("another request"))
	return c
}

func completionOf(c backend.Claim, answer string) backend.Completion {
	return backend.Completion{Fingerprint: c.Fingerprint, Answer: []byte(answer), Retention: time.Hour}
}

func begins(t *testing.T, s backend.Store, c backend.Claim, want backend.Verdict) backend.Grant {
	t.Helper()
	g, err := s.Begin(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	return g
}

func completes(t *testing.T, s backend.Store, c backend.Claim, answer string) {
	t.Helper()
	g, err := s.Complete(t.Context(), c.ID, c.Token, completionOf(c, answer))
	require.NoError(t, err)
	require.Equal(t, backend.Kept, g.Verdict)
}

// race has twenty goroutines begin each record, on two stores, and counts who won.
func race(t *testing.T, stores [2]*sqlbackend.Store, rounds int) {
	t.Helper()
	for round := range rounds {
		c := claimOf(strconv.Itoa(round))
		var claimed, inFlight atomic.Int32
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				g, err := stores[i%2].Begin(t.Context(), again(c))
				switch {
				case err != nil:
					t.Error(err)
				case g.Verdict == backend.Claimed:
					claimed.Add(1)
				case g.Verdict == backend.InFlight:
					inFlight.Add(1)
				}
			})
		}
		group.Wait()
		require.Equal(t, []int32{1, 19}, []int32{claimed.Load(), inFlight.Load()}, "round %d", round)
	}
}

func TestOfTwentyGoroutinesOneClaims(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	_, first := openIn(t, schema, server(t))
	_, second := openIn(t, schema, server(t))
	race(t, [2]*sqlbackend.Store{first, second}, 300)
}

func TestAnyDefaultIsolationWillDo(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"serializable", "repeatable read"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			schema := newSchema(t)
			dsn := server(t, "default_transaction_isolation="+level)
			db, first := openIn(t, schema, dsn)
			_, second := openIn(t, schema, dsn)
			race(t, [2]*sqlbackend.Store{first, second}, 50)
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					for n := range 5 {
						c := claimOf(fmt.Sprint("own ", i, n))
						g, err := first.Begin(t.Context(), c)
						if err == nil && g.Verdict == backend.Claimed {
							_, err = second.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			var level string
			inTx(t, first, claimOf("tx"), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
				return tx.GetContext(ctx, &level, `SHOW transaction_isolation`)
			}, backend.Claimed)
			require.Equal(t, "read committed", level)
			require.Equal(t, 100, count(t, db, "state = 2"))
		})
	}
}

func TestTheTimeZoneDoesNotMatter(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	_, first := openIn(t, schema, server(t, "timezone=Pacific/Kiritimati"))
	_, second := openIn(t, schema, server(t, "timezone=America/St_Johns"))
	c := claimOf("key")
	begins(t, first, c, backend.Claimed)
	g := begins(t, second, again(c), backend.InFlight)
	require.InDelta(t, time.Minute, g.LeaseLeft, float64(20*time.Second))
	completes(t, second, c, "answer")
	require.Less(t, begins(t, first, again(c), backend.Replay).Age, 20*time.Second)
}

// quiet reports whether f left the server's write-ahead log and its transaction ids as they were. Others may use the
// server too, so it tries until they are quiet; what f itself writes shows every time.
func quiet(t *testing.T, db *sqlx.DB, f func()) bool {
	t.Helper()
	type marks struct{ Wal, Xid string }
	read := func() (m marks) {
		require.NoError(t, db.GetContext(t.Context(), &m,
			`SELECT pg_current_wal_insert_lsn()::text AS wal, pg_snapshot_xmax(pg_current_snapshot())::text AS xid`))
		return m
	}
	for range 100 {
		before := read()
		f()
		if read() == before {
			return true
		}
	}
	return false
}

func TestWhatOnlyReadsWritesNothing(t *testing.T) { // not parallel: it watches the whole server
	db, store := open(t)
	done, pending, held := claimOf("done"), claimOf("pending"), claimOf("held")
	for _, c := range []backend.Claim{done, pending, held} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer")
	_, err := store.Hold(t.Context(), held.ID, held.Token, "")
	require.NoError(t, err)
	for name, f := range map[string]func(){
		"a replay":              func() { begins(t, store, again(done), backend.Replay) },
		"a mismatch":            func() { begins(t, store, otherRequest(pending), backend.Mismatch) },
		"in flight":             func() { begins(t, store, again(pending), backend.InFlight) },
		"held":                  func() { begins(t, store, again(held), backend.Held) },
		"a claim sent again":    func() { begins(t, store, pending, backend.Claimed) },
		"a replay through DoTx": func() { inTx(t, store, again(done), mustNotRun(t), backend.Replay) },
	} {
		require.True(t, quiet(t, db, f), name)
	}
	require.False(t, quiet(t, db, func() {
		_, err := store.Renew(t.Context(), pending.ID, pending.Token, backend.Renewal{Lease: time.Minute})
		require.NoError(t, err)
	}), "a write does not show, so the rest of this test says nothing")
}

func count(t *testing.T, db *sqlx.DB, where string) (n int) {
	t.Helper()
	require.NoError(t, db.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records WHERE `+where))
	return n
}

func TestAReplayInATransactionHasNeitherIDNorLock(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	done := claimOf("done")
	begins(t, store, done, backend.Claimed)
	completes(t, store, done, "answer")
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	joined, err := store.Join(tx)
	require.NoError(t, err)
	begins(t, joined, again(done), backend.Replay)
	begins(t, joined, otherRequest(done), backend.Mismatch)
	var xid, gates int
	require.NoError(t, tx.GetContext(t.Context(), &xid, `SELECT count(pg_current_xact_id_if_assigned())`))
	require.Zero(t, xid)
	const advisory = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`
	require.NoError(t, tx.GetContext(t.Context(), &gates, advisory))
	require.Zero(t, gates)
	begins(t, joined, claimOf("key"), backend.Claimed)
	require.NoError(t, tx.GetContext(t.Context(), &gates, advisory))
	require.Equal(t, 1, gates)
}

func TestARowThatCannotBeReadIsCorruptAndStays(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"a token of another length":       `token = '\x00'`,
		"a fingerprint of another length": `fingerprint = '\x00'`,
		"a state that nobody knows":       `state = 4`,
		"a state below all":               `state = 0`,
		"an attempt below one":            `attempt = 0`,
		"a hold that is no boolean":       `hold = 2`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, store := open(t)
			c := claimOf("key")
			begins(t, store, c, backend.Claimed)
			for _, lease := range []string{"lease_until", "1"} { // also where it is over
				_, err := db.ExecContext(t.Context(), `UPDATE idem_records SET lease_until = `+lease+`, `+damage)
				require.NoError(t, err)
				_, err = store.Begin(t.Context(), again(c))
				require.ErrorIs(t, err, backend.ErrCorrupt)
				_, err = store.Begin(t.Context(), again(c))
				require.ErrorIs(t, err, backend.ErrCorrupt, "it was overwritten")
				_, err = store.InTx(t.Context(), again(c), mustNotRun(t))
				require.ErrorIs(t, err, backend.ErrCorrupt)
			}
			_, err := store.Lookup(t.Context(), c.ID)
			require.ErrorIs(t, err, backend.ErrCorrupt)
		})
	}
}

func TestALeaseIsNeverShorterThanAskedFor(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	c := claimOf("key")
	c.Lease, c.Retention = 1500*time.Microsecond, time.Nanosecond
	begins(t, store, c, backend.Claimed)
	var lease, retention int
	require.NoError(t, db.QueryRowContext(t.Context(),
		`SELECT lease_until - since, expires_at - lease_until FROM idem_records`).Scan(&lease, &retention))
	require.Equal(t, []int{2, 1}, []int{lease, retention})
}

func TestTheStoreTellsTheCauseOfAnEndedContext(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.ExecContext(t.Context(), `SELECT 1 FROM idem_records FOR UPDATE`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = store.Complete(ctx, c.ID, c.Token, completionOf(c, "answer"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAServerThatRefusesWritesIsNamed(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	openIn(t, schema, server(t))
	dsn := server(t, "search_path="+schema, "default_transaction_read_only=on")
	_, _, err := Open(t.Context(), dsn)
	require.ErrorContains(t, err, "read-only (transaction_read_only is on)")

	db, store := openIn(t, schema, server(t), sqlbackend.Conns(1))
	_, err = db.ExecContext(t.Context(), `SET default_transaction_read_only = on`)
	require.NoError(t, err)
	_, err = store.Begin(t.Context(), claimOf("key"))
	require.ErrorContains(t, err, "standby or read-only")
	require.NotErrorIs(t, err, backend.ErrConflict)
	_, err = store.InTx(t.Context(), claimOf("key"), mustNotRun(t))
	require.ErrorContains(t, err, "standby or read-only")
}

func TestCheckNamesTheSetting(t *testing.T) {
	t.Parallel()
	db, store := openIn(t, newSchema(t), server(t, "synchronous_commit=off", "default_transaction_isolation=serializable"), sqlbackend.Conns(1))
	_, err := db.ExecContext(t.Context(), `SET default_transaction_read_only = on`)
	require.NoError(t, err)
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	got := map[string]backend.Severity{}
	for _, f := range found {
		got[f.Setting+"="+f.Value] = f.Severity
		require.NotEmpty(t, f.Advice)
	}
	want := map[string]backend.Severity{
		"synchronous_commit=off":                     backend.Warning,
		"default_transaction_isolation=serializable": backend.Warning,
		"transaction_read_only=on":                   backend.Error,
	}
	for setting, severity := range want {
		require.Equal(t, severity, got[setting], setting)
	}
	_, store = open(t)
	found, err = store.Check(t.Context())
	require.NoError(t, err)
	for _, f := range found { // the test's server may be fast and loose
		require.Contains(t, []string{"fsync", "full_page_writes", "synchronous_commit"}, f.Setting)
	}
}

func TestNoServersErrorRepeatsTheRow(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	_, err := db.ExecContext(t.Context(), `ALTER TABLE idem_records ADD CHECK (state <> 2), ADD CHECK (key_text <> 'secret')`)
	require.NoError(t, err)
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	_, refused := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
	_, refusedToo := store.Begin(t.Context(), claimOf("secret"))
	for _, err := range []error{refused, refusedToo} {
		require.ErrorContains(t, err, "23514")
		var full *pgconn.PgError
		require.False(t, errors.As(err, &full), "its Detail is the row")
	}
}
