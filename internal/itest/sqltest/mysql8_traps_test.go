package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/mysql"
)

func TestMySQL8IsRefusedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	p := viaMySQL8.fresh(t, viaMySQL8)
	db, _ := p.bare(t)
	refused := func(err error) {
		t.Helper()
		require.ErrorContains(t, err, `"8.0.20"`)
		require.ErrorContains(t, err, "never on a real MySQL server")
		require.ErrorContains(t, err, "option UntestedMySQL")
	}
	refused(sqlbackend.Migrate(t.Context(), db, mysql.Dialect(), sqlbackend.Table(p.table)))
	_, err := sqlbackend.New(t.Context(), db, mysql.Dialect(), sqlbackend.Table(p.table))
	refused(err)
	_, store := p.open(t)
	begins(t, store, claimOf("key"), backend.Claimed)
	_, err = sqlbackend.New(t.Context(), db, mysql.Dialect(), sqlbackend.Table(p.table))
	refused(err)
}

func TestMariaDBDoesNotMindTheOptionForMySQL(t *testing.T) {
	t.Parallel()
	p := viaMySQL.fresh(t, viaMySQL)
	p = p.with("untested_mysql", "true").with("table", p.table)
	h, err := backend.Open(t.Context(), mysqlURL(p))
	require.NoError(t, err)
	defer func() { require.NoError(t, h.Close()) }()
	begins(t, h.Store, claimOf("key"), backend.Claimed)
}

func TestCheckNamesWhatIsUnsafeOnMySQL8(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ variable, value, want string }{
		"a long wait":  {"innodb_lock_wait_timeout", "50", "innodb_lock_wait_timeout"},
		"an isolation": {"tx_isolation", "'REPEATABLE-READ'", "isolation level"},
		"nothing":      {"tx_isolation", "'READ-COMMITTED'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, store := viaMySQL8.fresh(t, viaMySQL8).with(test.variable, test.value).open(t)
			found, err := store.Check(t.Context())
			require.NoError(t, err)
			named := map[string]backend.Finding{}
			for _, f := range found {
				named[f.Setting] = f
				require.NotContains(t, f.Advice, "{")
			}
			for _, setting := range []string{"innodb_lock_wait_timeout", "isolation level"} {
				require.Equal(t, setting == test.want, named[setting].Setting != "", setting)
			}
		})
	}
}

// Nothing but a claim that meets another's insert depends on how long the server lets a session wait.
func TestATransactionAndAPruneDoNotWaitOnMySQL8(t *testing.T) {
	t.Parallel()
	p := viaMySQL8.fresh(t, viaMySQL8).with("innodb_lock_wait_timeout", "50")
	db, store := p.open(t)
	p.fill(t, db, 1)
	tx, holder := p.joins(t, db, store)
	c := claimOf("key")
	begins(t, holder, c, backend.Claimed)
	p.run(t, tx, `UPDATE {t} SET note = 'mine' WHERE expires_at = 1`)

	start := time.Now()
	_, duplicate := p.joins(t, db, store)
	begins(t, duplicate, again(c), backend.InFlight)
	inTx(t, store, again(c), mustNotRun(t), backend.InFlight)
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, backend.PruneStats{Scanned: 5, Held: 1}, stats)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = store.Settle(ctx, c.ID, c.Token)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool {
		var waiting int
		err := db.GetContext(t.Context(), &waiting, `SELECT COUNT(*) FROM information_schema.PROCESSLIST
WHERE ID <> CONNECTION_ID() AND INFO LIKE CONCAT('%', ?, '%')`, p.table)
		return err == nil && waiting == 0
	}, 10*time.Second, time.Millisecond, "a statement waits in the server for a caller who has left")
	require.Less(t, time.Since(start), 10*time.Second)
}

// Between the look that locks and the insert another may insert and not commit. Then the claim waits, but no longer than
// the session's innodb_lock_wait_timeout.
func TestASimultaneousFirstInsertIsWaitedForOnMySQL8(t *testing.T) {
	t.Parallel()
	p := viaMySQL8.fresh(t, viaMySQL8)
	db, store := p.open(t)
	other, theirs := p.joins(t, db, store)
	c := claimOf("key")
	_, late, tap := p.tapped(t)
	insert := func() { begins(t, theirs, again(c), backend.Claimed) }
	tap.exec.Store(&insert)
	start := time.Now()
	inTx(t, late, c, mustNotRun(t), backend.InFlight)
	require.Nil(t, tap.exec.Load(), "nothing was inserted")
	require.Less(t, time.Since(start), 10*time.Second, "it waited as long as the server does")
	require.NoError(t, other.Commit())
	inTx(t, late, again(c), mustNotRun(t), backend.InFlight)
}

// In a snapshot that is older than the record, what locks sees it and what reads does not.
func TestAJoinedSnapshotDoesNotClaimWhatIsDoneOnMySQL8(t *testing.T) {
	t.Parallel()
	p := viaMySQL8.fresh(t, viaMySQL8).with("tx_isolation", "'REPEATABLE-READ'")
	db, store := p.open(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	require.Zero(t, p.count(t, tx, "1 = 1"))
	c := claimOf("key")
	inTx(t, store, c, answering(c, "answer"), backend.Claimed)
	joined, err := store.Join(tx)
	require.NoError(t, err)
	require.Equal(t, []byte("answer"), begins(t, joined, again(c), backend.Replay).Answer)
}
