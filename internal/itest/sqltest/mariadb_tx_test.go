package sqltest

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestADuplicateOfAnOpenTransactionLeavesTheCallersRows(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		for name, level := range map[string]string{
			"at READ COMMITTED":                     "'READ-COMMITTED'",
			"and the server's default is otherwise": "'SERIALIZABLE'",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via).with("tx_isolation", level)
				db, store := p.open(t)
				p.run(t, db, `CREATE TABLE {t}_rows (n INTEGER)`)
				c := claimOf("key")
				inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, joined backend.TxStore) error {
					second, duplicate := p.joins(t, db, store)
					_, err := second.ExecContext(ctx, p.sql(`INSERT INTO {t}_rows VALUES (1)`))
					require.NoError(t, err)
					start := time.Now()
					begins(t, duplicate, again(c), backend.InFlight)
					require.Less(t, time.Since(start), 10*time.Second, "it waited for the row, for which the server gives 50 s")
					require.NoError(t, second.Commit())
					inTx(t, store, again(c), mustNotRun(t), backend.InFlight)
					return answering(c, "answer")(ctx, tx, joined)
				}, backend.Claimed)
				var rows int
				require.NoError(t, db.GetContext(t.Context(), &rows, p.sql(`SELECT COUNT(*) FROM {t}_rows`)))
				require.Equal(t, 1, rows)
				inTx(t, store, again(c), mustNotRun(t), backend.Replay)
			})
		}
	})
}

func TestAReplayInsideATransactionLocksNothing(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.open(t)
		done, pending, held := claimOf("done"), claimOf("pending"), claimOf("held")
		for _, c := range []backend.Claim{done, pending, held} {
			begins(t, store, c, backend.Claimed)
		}
		completes(t, store, done, "answer")
		_, err := store.Hold(t.Context(), held.ID, held.Token, "")
		require.NoError(t, err)

		_, joined := p.joins(t, db, store)
		begins(t, joined, again(done), backend.Replay)
		begins(t, joined, otherRequest(done), backend.Mismatch)
		begins(t, joined, again(pending), backend.InFlight)
		begins(t, joined, again(held), backend.Held)
		p.run(t, db, `SELECT id FROM {t} FOR UPDATE NOWAIT`)
		found, err := store.Forget(t.Context(), done.ID)
		require.NoError(t, err)
		require.True(t, found)
	})
}

func TestSettleWaitsForAnInsertThatIsNotCommitted(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		for name, end := range map[string]struct {
			end  func(*sqlx.Tx) error
			want backend.Verdict
		}{
			"and then is":     {(*sqlx.Tx).Commit, backend.Kept},
			"and then is not": {(*sqlx.Tx).Rollback, backend.Lost},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via)
				db, store := p.open(t)
				tx, joined := p.joins(t, db, store)
				c := claimOf("key")
				begins(t, joined, c, backend.Claimed)
				settled := make(chan backend.Verdict, 1)
				go func() {
					g, err := store.Settle(t.Context(), c.ID, c.Token)
					if err != nil {
						t.Error(err)
					}
					settled <- g.Verdict
				}()
				// Longer than one wait of Settle's own statement, so that it has to ask again.
				time.AfterFunc(1500*time.Millisecond, func() {
					if err := end.end(tx); err != nil {
						t.Error(err)
					}
				})
				select {
				case got := <-settled:
					require.Equal(t, end.want, got)
				case <-t.Context().Done():
				}
				require.ErrorIs(t, tx.Commit(), sql.ErrTxDone, "it answered while the transaction was open")
			})
		}
	})
}

func TestRoundTripsOfATransaction(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		p = p.of(1)
		_, store, tap := p.tapped(t)
		first := func(key string) backend.Claim {
			c := claimOf(key)
			inTx(t, store, c, answering(c, "answer"), backend.Claimed)
			return c
		}
		c := first("what is prepared")
		before := tap.trips.Load()
		first("key")
		want := map[*via]int64{
			viaMySQL:  6, // look, SET TRANSACTION, START TRANSACTION, claim, complete, COMMIT
			viaMySQL8: 7, // it locks before it claims
		}
		require.Equal(t, want[p.via], tap.trips.Load()-before)
		before = tap.trips.Load()
		inTx(t, store, again(c), mustNotRun(t), backend.Replay)
		require.EqualValues(t, 1, tap.trips.Load()-before)
	})
}
