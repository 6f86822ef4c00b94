package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// fill writes n expired records, n live ones, n abandoned claims that hold, n live ones that hold and n Unknown ones.
func (s *storage) fill(tb testing.TB, db *sqlx.DB, n int) {
	tb.Helper()
	for i, row := range []struct{ state, hold, lease, expiry string }{
		{"2", "0", "0", "1"},
		{"2", "0", "0", "9223372036854775807"},
		{"1", "1", "1", "9223372036854775807"},
		{"1", "1", "9223372036854775807", "9223372036854775807"},
		{"3", "1", "1", "9223372036854775807"},
	} {
		s.run(tb, db, fmt.Sprintf(`INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note)
SELECT UNHEX(SHA2(CONCAT('%d/', seq), 256)), UNHEX(MD5(seq)), REPEAT('f', 33), %s, %s, 1, 0, %s, %s, REPEAT('a', 128), '' FROM seq_1_to_%d`,
			i, row.state, row.hold, row.lease, row.expiry, n))
	}
}

func TestPruneWalksTheWholeTable(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 7, 200, 1000} {
		t.Run(fmt.Sprintf("in steps of %d", step), func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.options = []sqlbackend.Option{sqlbackend.PruneStep(step), sqlbackend.PrunePause(0)}
			db, store := s.open(t)
			s.fill(t, db, 40)
			stats, err := store.Prune(t.Context())
			require.NoError(t, err)
			require.Equal(t, backend.PruneStats{Scanned: 200, Removed: 40, Held: 40}, stats)
			require.Equal(t, 40, s.count(t, db, "state = 2"))
			require.Equal(t, 40, s.count(t, db, "state = 1"))
			require.Equal(t, 80, s.count(t, db, "state = 3"))
			stats, err = store.Prune(t.Context())
			require.NoError(t, err)
			require.Equal(t, backend.PruneStats{Scanned: 160}, stats)
		})
	}
}

var errGone = errors.New("gone")

func TestPruneGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.options = []sqlbackend.Option{sqlbackend.PruneStep(10), sqlbackend.PrunePause(time.Minute)}
	db, store := s.open(t)
	s.run(t, db, `INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, note)
SELECT CONCAT(REPEAT('0', 30), LPAD(seq, 2, '0')), REPEAT('t', 16), REPEAT('f', 33), 2, 0, 1, 0, 0, 1, '' FROM seq_1_to_30`)
	for _, left := range []int{20, 10} {
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := store.Prune(ctx)
			done <- err
		}()
		require.Eventually(t, func() bool { return s.count(t, db, "TRUE") == left }, 10*time.Second, time.Millisecond)
		cancel(errGone)
		require.ErrorIs(t, <-done, errGone)
	}
	require.Equal(t, 10, s.count(t, db, `id > CONCAT(REPEAT('0', 30), '20')`))
}

// A sweep that waits for a row holds what it has deleted, and whoever asks for that waits too.
func TestPruneLeavesALockedRowToTheNextWalk(t *testing.T) {
	t.Parallel()
	for name, level := range map[string]string{"": "", "at REPEATABLE READ": "tx_isolation=%27REPEATABLE-READ%27"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params = level
			db, store := s.open(t)
			s.fill(t, db, 20)
			tx, joined := own(t, db, store)
			begins(t, joined, claimOf("uncommitted"), backend.Claimed)
			_, err := tx.ExecContext(t.Context(), s.sql(`UPDATE {t} SET note = 'mine' WHERE expires_at = 1 OR state = 1 AND lease_until = 1 ORDER BY id LIMIT 1`))
			require.NoError(t, err)
			start := time.Now()
			stats, err := store.Prune(t.Context())
			require.NoError(t, err)
			require.Less(t, time.Since(start), 10*time.Second)
			require.Equal(t, 39, stats.Removed+stats.Held)
			require.NoError(t, tx.Commit())
			stats, err = store.Prune(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, stats.Removed+stats.Held)
		})
	}
}

func TestManyPruneBesideClaims(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params = "tx_isolation=%27REPEATABLE-READ%27"
	s.options = []sqlbackend.Option{sqlbackend.PruneStep(50), sqlbackend.PrunePause(0)}
	db, _ := s.open(t)
	s.fill(t, db, 2000)
	var group sync.WaitGroup
	var mu sync.Mutex
	removed, held := 0, 0
	for i := range 3 {
		_, store := s.open(t)
		group.Go(func() {
			stats, err := store.Prune(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			removed, held = removed+stats.Removed, held+stats.Held
		})
		group.Go(func() {
			for n := range 200 {
				c := claimOf(strconv.Itoa(i) + "/" + strconv.Itoa(n))
				if g, err := store.Begin(t.Context(), c); err != nil || g.Verdict != backend.Claimed {
					t.Errorf("claim: %v, %v", g.Verdict, err)
				}
				if g, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer")); err != nil || g.Verdict != backend.Kept {
					t.Errorf("complete: %v, %v", g.Verdict, err)
				}
			}
		})
	}
	group.Wait()
	_, store := s.open(t)
	stats, err := store.Prune(t.Context()) // what was locked for a moment
	require.NoError(t, err)
	require.Equal(t, 2000, removed+stats.Removed)
	require.Equal(t, 2000, held+stats.Held)
}
