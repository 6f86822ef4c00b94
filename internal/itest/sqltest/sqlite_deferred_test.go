package sqltest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	sqlitedriver "modernc.org/sqlite"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

// snapshotConflict returns the driver's error 517: a transaction that has read wants to write after somebody else has.
func snapshotConflict(t *testing.T, file string) error {
	t.Helper()
	writer, _ := openFile(t, file)
	reader, _ := openDeferred(t, file)
	tx, err := reader.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	var n int
	require.NoError(t, tx.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))
	_, err = writer.ExecContext(t.Context(), `CREATE TABLE conflict (n)`)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `DELETE FROM idem_records`)
	var coded *sqlitedriver.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, 517, coded.Code())
	return err
}

// openDeferred opens file as somebody might who leaves _txlock out.
func openDeferred(t *testing.T, file string) (*sqlx.DB, *sqlbackend.Store) {
	t.Helper()
	db, err := sqlx.Open("sqlite", deferredDSN(t, file))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, sqlite.Dialect()))
	store, err := sqlbackend.New(t.Context(), db, sqlite.Dialect())
	require.NoError(t, err)
	return db, store
}

func TestADeferredTransactionNeverMeetsASnapshotConflict(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, first := openDeferred(t, file)
	_, second := openDeferred(t, file)
	var group sync.WaitGroup
	for i, store := range []*sqlbackend.Store{first, second} {
		for g := range 4 {
			group.Go(func() {
				for n := range 10 {
					c := claimOf(fmt.Sprint(i, g, n))
					if _, err := store.InTx(t.Context(), c, answering(c, "answer")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
}

func TestASnapshotConflictIsErrConflict(t *testing.T) {
	t.Parallel()
	t.Run("in a joined transaction that had read before", func(t *testing.T) {
		t.Parallel()
		file := newFile(t)
		db, store := openDeferred(t, file)
		_, other := openFile(t, file)
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		var n int
		require.NoError(t, tx.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))
		begins(t, other, claimOf("other"), backend.Claimed)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		_, err = joined.Begin(t.Context(), claimOf("key"))
		require.ErrorIs(t, err, backend.ErrConflict)
	})
	t.Run("out of run, also wrapped", func(t *testing.T) {
		t.Parallel()
		file := newFile(t)
		_, store := openFile(t, file)
		conflict := fmt.Errorf("pay: %w", snapshotConflict(t, file))
		_, err := store.InTx(t.Context(), claimOf("key"), mustReturn(conflict))
		require.ErrorIs(t, err, backend.ErrConflict)
		require.ErrorIs(t, err, conflict)
		inTx(t, store, claimOf("key"), mustReturn(nil), backend.Claimed)
	})
}

func TestAJoinedClaimIsTheFirstToWrite(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db, store := openDeferred(t, file)
	_, other := openFile(t, file, sqlite.BusyTimeout(time.Millisecond))
	done := claimOf("done")
	begins(t, store, done, backend.Claimed)
	completes(t, store, done, "answer")
	for name, c := range map[string]backend.Claim{"a first run": claimOf("key"), "a replay": again(done)} {
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		_, err = joined.Begin(t.Context(), c)
		require.NoError(t, err)
		_, err = other.Begin(t.Context(), claimOf("other"))
		require.ErrorContains(t, err, "SQLITE_BUSY", name+" has not taken the lock")
		require.NoError(t, tx.Rollback())
	}
}
