package sqltest

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestPruneGoesOnWhereItStoppedOnMariaDB(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.open(t, sqlbackend.PruneStep(10), sqlbackend.PrunePause(time.Minute))
		p.run(t, db, `INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, note)
SELECT CONCAT(REPEAT('0', 30), LPAD(seq, 2, '0')), REPEAT('t', 16), REPEAT('f', 33), 2, 0, 1, 0, 0, 1, '' FROM seq_1_to_30`)
		for _, left := range []int{20, 10} {
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := store.Prune(ctx)
				done <- err
			}()
			require.Eventually(t, func() bool { return p.count(t, db, "1 = 1") == left }, 10*time.Second, time.Millisecond)
			cancel(errGone)
			require.ErrorIs(t, <-done, errGone)
		}
		require.Equal(t, 10, p.count(t, db, `id > CONCAT(REPEAT('0', 30), '20')`))
	})
}

// A sweep that waits for a row holds what it has deleted, and whoever asks for that waits too.
func TestPruneLeavesALockedRowToTheNextWalk(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		for _, level := range []string{"'READ-COMMITTED'", "'REPEATABLE-READ'"} {
			t.Run("at "+level, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via).with("tx_isolation", level)
				db, store := p.open(t)
				p.fill(t, db, 20)
				tx, joined := p.joins(t, db, store)
				begins(t, joined, claimOf("uncommitted"), backend.Claimed)
				_, err := tx.ExecContext(t.Context(), p.sql(`UPDATE {t} SET note = 'mine' WHERE expires_at = 1 OR state = 1 AND lease_until = 1 ORDER BY id LIMIT 1`))
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
	})
}

func TestManyPruneBesideClaims(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		p = p.with("tx_isolation", "'REPEATABLE-READ'")
		often := []sqlbackend.OpenOption{sqlbackend.PruneStep(50), sqlbackend.PrunePause(0)}
		db, _ := p.open(t, often...)
		p.fill(t, db, 2000)
		var group sync.WaitGroup
		var mu sync.Mutex
		removed, held := 0, 0
		for i := range 3 {
			_, store := p.open(t, often...)
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
		_, store := p.open(t, often...)
		stats, err := store.Prune(t.Context()) // what was locked for a moment
		require.NoError(t, err)
		require.Equal(t, 2000, removed+stats.Removed)
		require.Equal(t, 2000, held+stats.Held)
	})
}
