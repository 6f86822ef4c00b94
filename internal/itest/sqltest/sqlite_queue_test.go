package sqltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

func TestADuplicateInThisProcessIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, conns := range []int{1, 2} {
		t.Run(fmt.Sprintf("with a pool of %d", conns), func(t *testing.T) {
			t.Parallel()
			_, store := openFile(t, newFile(t), sqlbackend.Conns(conns))
			own := claimOf("key")
			inTx(t, store, own, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
				g := inTx(t, store, again(own), mustNotRun(t), backend.InFlight)
				require.Equal(t, own.Lease, g.LeaseLeft)
				inTx(t, store, otherRequest(own), mustNotRun(t), backend.Mismatch)
				if conns > 1 {
					begins(t, store, again(own), backend.InFlight)
				}
				return answering(own, "answer")(ctx, tx, s)
			}, backend.Claimed)
			require.Equal(t, []byte("answer"), inTx(t, store, again(own), mustNotRun(t), backend.Replay).Answer)
			_, err := store.InTx(t.Context(), claimOf("other"), func(context.Context, *sqlx.Tx, backend.TxStore) error { return errors.New("no") })
			require.EqualError(t, err, "no")
			inTx(t, store, otherRequest(claimOf("other")), mustReturn(nil), backend.Claimed)
		})
	}
}

func TestAQueuedTransactionIsInFlightToo(t *testing.T) {
	t.Parallel()
	_, store := openFile(t, newFile(t))
	first, queued := claimOf("first"), claimOf("queued")
	ended := make(chan error)
	inTx(t, store, first, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
		go func() {
			for { // until it was first: those who ask below queue for a moment too
				g, err := store.InTx(t.Context(), queued, mustReturn(nil))
				if err != nil || g.Verdict == backend.Claimed {
					ended <- err
					return
				}
			}
		}()
		require.Eventually(t, func() bool {
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			g, err := store.InTx(short, again(queued), mustNotRun(t))
			return err == nil && g.Verdict == backend.InFlight
		}, 10*time.Second, time.Millisecond)
		return nil
	}, backend.Claimed)
	require.NoError(t, <-ended)
}

func TestTransactionsOfOneStoreQueueForTheWriter(t *testing.T) {
	t.Parallel()
	for _, conns := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("with a pool of %d", conns), func(t *testing.T) {
			t.Parallel()
			// With so short a time-out every meeting in SQLite itself would be an error.
			db, store := openFile(t, newFile(t), sqlbackend.Conns(conns), sqlite.BusyTimeout(time.Millisecond))
			_, err := db.ExecContext(t.Context(), `CREATE TABLE account (cents INTEGER); INSERT INTO account VALUES (0)`)
			require.NoError(t, err)
			var group sync.WaitGroup
			for i := range 40 {
				group.Go(func() {
					c := claimOf(fmt.Sprint(i))
					_, err := store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
						var cents int
						if err := tx.GetContext(ctx, &cents, `SELECT cents FROM account`); err != nil {
							return err
						}
						if _, err := tx.ExecContext(ctx, `UPDATE account SET cents = ?`, cents+1); err != nil {
							return err
						}
						return answering(c, "answer")(ctx, tx, s)
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			var cents int
			require.NoError(t, db.GetContext(t.Context(), &cents, `SELECT cents FROM account`))
			require.Equal(t, 40, cents)
		})
	}
}
