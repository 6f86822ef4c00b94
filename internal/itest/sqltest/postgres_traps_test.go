package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

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

func TestWhatOnlyReadsWritesNothingOnPostgres(t *testing.T) { // not parallel: it watches the whole server
	for _, v := range []*via{viaPGX, viaPQ} {
		t.Run(v.name, func(t *testing.T) {
			db, store := v.fresh(t, v).open(t)
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
		})
	}
}

func TestAReplayInATransactionHasNeitherIDNorLock(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.open(t)
		done := claimOf("done")
		begins(t, store, done, backend.Claimed)
		completes(t, store, done, "answer")
		tx, joined := p.joins(t, db, store)
		begins(t, joined, again(done), backend.Replay)
		begins(t, joined, otherRequest(done), backend.Mismatch)
		require.Zero(t, p.number(t, tx, `SELECT count(pg_current_xact_id_if_assigned())`))
		const advisory = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`
		require.Zero(t, p.number(t, tx, advisory))
		begins(t, joined, claimOf("key"), backend.Claimed)
		require.Equal(t, 1, p.number(t, tx, advisory))
	})
}

func TestTheGateIsTheTablesOwn(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		_, store := p.open(t)
		_, other := p.via.fresh(t, p.via).open(t) // the same name in another schema
		c := claimOf("key")
		inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
			inTx(t, other, again(c), answering(c, "answer"), backend.Claimed)
			return answering(c, "answer")(ctx, tx, s)
		}, backend.Claimed)
	})
}

func TestAServerThatRefusesWritesIsNamed(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		p.open(t)
		_, _, err := p.with("default_transaction_read_only", "on").try(t)
		require.ErrorContains(t, err, "read-only (transaction_read_only is on)")

		db, store := p.of(1).open(t)
		p.run(t, db, `SET default_transaction_read_only = on`)
		_, err = store.Begin(t.Context(), claimOf("key"))
		require.ErrorContains(t, err, "standby or read-only")
		require.NotErrorIs(t, err, backend.ErrConflict)
		if p.via == viaPQ {
			return // it begins every transaction with READ WRITE, which overrules that default
		}
		_, err = store.InTx(t.Context(), claimOf("key"), mustNotRun(t))
		require.ErrorContains(t, err, "standby or read-only")
	})
}

func TestCheckNamesTheSettingOfPostgres(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.of(1).with("synchronous_commit", "off").with("default_transaction_isolation", "serializable").open(t)
		p.run(t, db, `SET default_transaction_read_only = on`)
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
		_, store = p.open(t)
		found, err = store.Check(t.Context())
		require.NoError(t, err)
		for _, f := range found { // the test's server may be fast and loose
			require.Contains(t, []string{"fsync", "full_page_writes", "synchronous_commit"}, f.Setting)
		}
	})
}

func TestNoServersErrorRepeatsTheRow(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.open(t)
		p.run(t, db, `ALTER TABLE {t} ADD CHECK (state <> 2), ADD CHECK (key_text <> 'secret')`)
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		_, refused := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
		_, refusedToo := store.Begin(t.Context(), claimOf("secret"))
		for _, err := range []error{refused, refusedToo} {
			require.ErrorContains(t, err, "check constraint")
			requireBare(t, err)
			var stated interface{ SQLState() string }
			require.ErrorAs(t, err, &stated)
			require.Equal(t, "23514", stated.SQLState())
		}
	})
}
