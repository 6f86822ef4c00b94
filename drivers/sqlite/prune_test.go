package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// fill writes n expired records, n live ones, n abandoned claims that hold, n live ones that hold and n Unknown ones.
func fill(tb testing.TB, db *sqlx.DB, n int) {
	tb.Helper()
	for _, row := range []struct{ state, hold, lease, expiry string }{
		{"2", "0", "0", "1"},
		{"2", "0", "0", "9223372036854775807"},
		{"1", "1", "1", "9223372036854775807"},
		{"1", "1", "9223372036854775807", "9223372036854775807"},
		{"3", "1", "1", "9223372036854775807"},
	} {
		_, err := db.ExecContext(tb.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO idem_records (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note)
SELECT randomblob(32), randomblob(16), randomblob(33), %s, %s, 1, 0, %s, %s, zeroblob(128), '' FROM n`, n, row.state, row.hold, row.lease, row.expiry))
		require.NoError(tb, err)
	}
}

func count(t *testing.T, db *sqlx.DB, where string) (n int) {
	t.Helper()
	require.NoError(t, db.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records WHERE `+where))
	return n
}

func TestPruneWalksTheWholeTable(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 7, 200, 1000} {
		t.Run(fmt.Sprintf("in steps of %d", step), func(t *testing.T) {
			t.Parallel()
			db, store := openFile(t, newFile(t), sqlbackend.PruneStep(step), sqlbackend.PrunePause(0))
			fill(t, db, 100)
			stats, err := store.Prune(t.Context())
			require.NoError(t, err)
			require.Equal(t, backend.PruneStats{Scanned: 500, Removed: 100, Held: 100}, stats)
			require.Equal(t, 100, count(t, db, "state = 2"))
			require.Equal(t, 100, count(t, db, "state = 1"))
			require.Equal(t, 200, count(t, db, "state = 3"))
			stats, err = store.Prune(t.Context())
			require.NoError(t, err)
			require.Equal(t, backend.PruneStats{Scanned: 400}, stats)
		})
	}
}

// numbered writes an expired record whose place in the table is n.
func numbered(t *testing.T, db *sqlx.DB, n int) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), `INSERT INTO idem_records
(rowid, id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, note)
VALUES (?, randomblob(32), zeroblob(16), zeroblob(33), 2, 0, 1, 0, 0, 1, '')`, n)
	require.NoError(t, err)
}

var errGone = errors.New("gone")

// pruneUntil lets a Prune run until so many rows are left, and cancels it then, while it rests.
func pruneUntil(t *testing.T, db *sqlx.DB, store *sqlbackend.Store, left int) (stats backend.PruneStats, err error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		stats, err = store.Prune(ctx)
	}()
	require.Eventually(t, func() bool { return count(t, db, "true") == left }, 10*time.Second, time.Millisecond)
	cancel(errGone)
	<-done
	return stats, err
}

func TestPruneGoesOnWhereItStopped(t *testing.T) {
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
	require.Equal(t, 1, count(t, db, "true"))
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
	require.Eventually(t, func() bool { return count(t, db, "true") == 1 }, 10*time.Second, time.Millisecond)
	short, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	stats, err := store.Prune(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, stats)
	require.Equal(t, 1, count(t, db, "true"))
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
}

func TestAStepInWhichNothingIsDueNeedsNoWriter(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, BusyTimeout(time.Millisecond))
	other, _ := openFile(t, file)
	begins(t, store, claimOf("key"), backend.Claimed)
	unlock := locked(t, other)
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, backend.PruneStats{Scanned: 1}, stats)
	unlock()
}

func TestForgetUserWalksTheWholeTable(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlbackend.PruneStep(3))
	fill(t, db, 10)
	for i := range 10 {
		begins(t, store, claimOf(fmt.Sprint(i)), backend.Claimed)
	}
	expired := claimOf("expired")
	expired.Lease, expired.Retention = 0, 0
	begins(t, store, expired, backend.Claimed)
	n, err := store.ForgetUser(t.Context(), "guard", "user")
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, 50, count(t, db, "true"), "the expired one is gone too, and nobody else's")
}
