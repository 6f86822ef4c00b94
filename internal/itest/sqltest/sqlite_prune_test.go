package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func countOf(t *testing.T, db *sqlx.DB, where string) (n int) {
	t.Helper()
	require.NoError(t, db.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records WHERE `+where))
	return n
}

// numbered writes an expired record whose place in the table is n.
func numbered(t *testing.T, db *sqlx.DB, n int) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), `INSERT INTO idem_records
(rowid, id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, note)
VALUES (?, randomblob(32), zeroblob(16), zeroblob(33), 2, 0, 1, 0, 0, 1, '')`, n)
	require.NoError(t, err)
}

// pruneUntil lets a Prune run until so many rows are left, and cancels it then, while it rests.
func pruneUntil(t *testing.T, db *sqlx.DB, store *sqlbackend.Store, left int) (stats backend.PruneStats, err error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		stats, err = store.Prune(ctx)
	}()
	require.Eventually(t, func() bool { return countOf(t, db, "true") == left }, 10*time.Second, time.Millisecond)
	cancel(errGone)
	<-done
	return stats, err
}

func TestPruneGoesOnWhereItStoppedOnSQLite(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlbackend.PruneStep(10), sqlbackend.PrunePause(time.Minute))
	for n := range 30 {
		numbered(t, db, n+2)
	}
	stats, err := pruneUntil(t, db, store, 20)
	require.Equal(t, errGone, err)
	require.Equal(t, backend.PruneStats{Scanned: 10, Removed: 10}, stats)

	numbered(t, db, 1) // behind the place
	for _, left := range []int{11, 1} {
		_, err = pruneUntil(t, db, store, left)
		require.Equal(t, errGone, err)
	}
	stats, err = store.Prune(t.Context())
	require.NoError(t, err)
	require.Zero(t, stats, "the end of the table is the end of the walk")
	stats, err = store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, backend.PruneStats{Scanned: 1, Removed: 1}, stats, "the next walk starts at the start")
}

func TestPruneOfAnEndedContextDoesNothing(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	numbered(t, db, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	_, err := store.Prune(ctx)
	require.Equal(t, errGone, err)
	require.Equal(t, 1, countOf(t, db, "true"))
}

func TestASecondPruneWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlbackend.PruneStep(1), sqlbackend.PrunePause(time.Minute))
	numbered(t, db, 1)
	numbered(t, db, 2)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := store.Prune(ctx)
		first <- err
	}()
	require.Eventually(t, func() bool { return countOf(t, db, "true") == 1 }, 10*time.Second, time.Millisecond)
	short, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	stats, err := store.Prune(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, stats)
	require.Equal(t, 1, countOf(t, db, "true"))
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
}
