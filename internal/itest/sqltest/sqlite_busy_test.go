package sqltest

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/drivers/sqlite"
)

// locked holds the file's write lock until the returned function is called.
func locked(t *testing.T, db *sqlx.DB) (unlock func()) {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return func() { require.NoError(t, tx.Rollback()) }
}

func TestWhatOnlyReadsNeedsNoWriterAndWritesNothing(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, sqlite.BusyTimeout(time.Millisecond))
	other, _ := openFile(t, file)
	done, pending, held := claimOf("done"), claimOf("pending"), claimOf("held")
	for _, c := range []backend.Claim{done, pending, held} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer")
	_, err := store.Hold(t.Context(), held.ID, held.Token, "")
	require.NoError(t, err)

	watcher, err := other.Connx(t.Context())
	require.NoError(t, err)
	defer watcher.Close()
	var before, after int
	require.NoError(t, watcher.GetContext(t.Context(), &before, `PRAGMA data_version`))
	wal, err := os.Stat(file + "-wal")
	require.NoError(t, err)

	unlock := locked(t, other)
	require.Equal(t, []byte("answer"), begins(t, store, again(done), backend.Replay).Answer)
	begins(t, store, otherRequest(done), backend.Mismatch)
	begins(t, store, again(pending), backend.InFlight)
	begins(t, store, pending, backend.Claimed)
	begins(t, store, again(held), backend.Held)
	g, err := store.InTx(t.Context(), again(done), nil)
	require.NoError(t, err)
	require.Equal(t, backend.Replay, g.Verdict)
	unlock()

	require.NoError(t, watcher.GetContext(t.Context(), &after, `PRAGMA data_version`))
	require.Equal(t, before, after, "somebody committed")
	walAfter, err := os.Stat(file + "-wal")
	require.NoError(t, err)
	require.Equal(t, wal.Size(), walAfter.Size())
}

func TestABusyFileIsAnErrorAndNotInFlight(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, sqlite.BusyTimeout(time.Millisecond))
	other, _ := openFile(t, file)
	unlock := locked(t, other)
	c := claimOf("key")
	_, err := store.Begin(t.Context(), c)
	require.ErrorContains(t, err, "SQLITE_BUSY")
	require.NotErrorIs(t, err, backend.ErrConflict)
	_, err = store.InTx(t.Context(), c, nil)
	require.ErrorContains(t, err, "SQLITE_BUSY")
	unlock()
	begins(t, store, c, backend.Claimed)
}

func TestASecondHandleWaitsUnderBusyTimeout(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, sqlite.BusyTimeout(time.Minute))
	other, _ := openFile(t, file)
	unlock := locked(t, other)
	claimed, started := make(chan error), make(chan struct{})
	go func() {
		close(started)
		_, err := store.Begin(t.Context(), claimOf("key"))
		claimed <- err
	}()
	<-started
	unlock()
	require.NoError(t, <-claimed)
}

func TestABusyCommitIsErrConflict(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db, store := openFile(t, file, sqlite.BusyTimeout(20*time.Millisecond))
	reader, _ := openFile(t, file)
	require.NoError(t, reader.Close())
	_, err := db.ExecContext(t.Context(), `PRAGMA journal_mode = DELETE`) // then a reader keeps a COMMIT out
	require.NoError(t, err)
	reader, err = sqlx.Open("sqlite", deferredDSN(t, file))
	require.NoError(t, err)
	defer reader.Close()
	tx, err := reader.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	var n int
	require.NoError(t, tx.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))

	c := claimOf("key")
	_, err = store.InTx(t.Context(), c, answering(c, "answer"))
	require.ErrorIs(t, err, backend.ErrConflict)
	require.NotErrorIs(t, err, backend.ErrCommitUnknown)
	require.NoError(t, tx.Rollback())
	inTx(t, store, c, answering(c, "answer"), backend.Claimed)
}

func TestWritingPastTheTransactionInsideIt(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlite.BusyTimeout(20*time.Millisecond))
	_, err := db.ExecContext(t.Context(), `CREATE TABLE effects (n)`)
	require.NoError(t, err)
	t.Run("through the pool waits for busy_timeout and fails", func(t *testing.T) {
		_, err := store.InTx(t.Context(), claimOf("pool"), func(ctx context.Context, _ *sqlx.Tx, _ backend.TxStore) error {
			_, err := db.ExecContext(ctx, `INSERT INTO effects VALUES (1)`)
			return err
		})
		require.ErrorContains(t, err, "SQLITE_BUSY")
		require.NotErrorIs(t, err, backend.ErrConflict, "to run it again would not help")
	})
	t.Run("through the store is refused at once", func(t *testing.T) {
		var after context.Context
		_, err := store.InTx(t.Context(), claimOf("outer"), func(ctx context.Context, _ *sqlx.Tx, _ backend.TxStore) error {
			after = ctx
			_, err := store.Begin(ctx, claimOf("inner"))
			return err
		})
		require.ErrorContains(t, err, "inside a transaction of the same store")
		_, err = store.Begin(context.WithoutCancel(after), claimOf("inner"))
		require.NoError(t, err, "the transaction is over")
	})
}

func TestAStepInWhichNothingIsDueNeedsNoWriter(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, sqlite.BusyTimeout(time.Millisecond))
	other, _ := openFile(t, file)
	begins(t, store, claimOf("key"), backend.Claimed)
	unlock := locked(t, other)
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, backend.PruneStats{Scanned: 1}, stats)
	unlock()
}

func TestManyProcessesMigrateAtOnceWhateverBusyTimeout(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		file := newFile(t)
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				db, store, err := sqlite.Open(t.Context(), file, sqlite.Synchronous("normal"), sqlite.BusyTimeout(time.Millisecond))
				if err != nil {
					t.Errorf("round %d, handle %d: %v", round, i, err)
					return
				}
				defer db.Close()
				// Ten connections open at once; only the claim waits for the writer no longer than busy_timeout.
				if _, err := store.Lookup(t.Context(), backend.ID{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		db, _ := openFile(t, file)
		var versions int
		require.NoError(t, db.GetContext(t.Context(), &versions, `SELECT count(*) FROM idem_records_schema`))
		require.Equal(t, 1, versions)
	}
}
