package sqltest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestWhatOnlyReadsWritesNothingOnMariaDB(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		p = p.of(1)
		db, store := p.open(t)
		done, pending, held, lapsed := claimOf("done"), claimOf("pending"), claimOf("held"), claimOf("lapsed")
		lapsed.Lease = 0
		for _, c := range []backend.Claim{done, pending, held, lapsed} {
			begins(t, store, c, backend.Claimed)
		}
		completes(t, store, done, "answer")
		_, err := store.Hold(t.Context(), held.ID, held.Token, "")
		require.NoError(t, err)
		writes := func() (n int) {
			require.NoError(t, db.GetContext(t.Context(), &n, `SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS
WHERE VARIABLE_NAME IN ('HANDLER_UPDATE', 'HANDLER_DELETE', 'HANDLER_PREPARE')`))
			return n
		}
		var rows, rowsAfter []map[string]any
		table := func() (all []map[string]any) {
			found, err := db.QueryxContext(t.Context(), p.sql(`SELECT * FROM {t} ORDER BY id`))
			require.NoError(t, err)
			defer found.Close()
			for found.Next() {
				row := map[string]any{}
				require.NoError(t, found.MapScan(row))
				all = append(all, row)
			}
			return all
		}
		rows = table()
		before := writes()
		require.Equal(t, []byte("answer"), begins(t, store, again(done), backend.Replay).Answer)
		begins(t, store, otherRequest(done), backend.Mismatch)
		begins(t, store, again(pending), backend.InFlight)
		begins(t, store, pending, backend.Claimed)
		begins(t, store, lapsed, backend.Claimed)
		begins(t, store, otherRequest(lapsed), backend.Mismatch)
		begins(t, store, again(held), backend.Held)
		require.Equal(t, before, writes())
		rowsAfter = table()
		require.Equal(t, rows, rowsAfter)
		begins(t, store, again(lapsed), backend.Claimed)
		require.Equal(t, before+1, writes(), "the counter counts")
	})
}

func TestADeadlockIsRetriedInside(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		p = p.with("tx_isolation", "'REPEATABLE-READ'").of(6)
		db, store := p.open(t)
		for round := range 10 {
			c := claimOf(strconv.Itoa(round))
			tx, err := db.BeginTxx(t.Context(), nil)
			require.NoError(t, err)
			joined, err := store.Join(tx)
			require.NoError(t, err)
			begins(t, joined, c, backend.Claimed)
			var claimed atomic.Int32
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					g, err := store.Begin(t.Context(), again(c))
					if err != nil {
						t.Error(err)
					}
					if g.Verdict == backend.Claimed {
						claimed.Add(1)
					}
				})
			}
			require.Eventually(t, func() bool {
				var waiting int
				err := db.GetContext(t.Context(), &waiting, `SELECT COUNT(*) FROM information_schema.PROCESSLIST
WHERE ID <> CONNECTION_ID() AND INFO LIKE CONCAT('%INSERT INTO%', ?, '%')`, p.table)
				return err == nil && waiting == 3
			}, 10*time.Second, time.Millisecond)
			require.NoError(t, tx.Rollback())
			group.Wait()
			require.EqualValues(t, 1, claimed.Load())
		}
	})
}

func TestAClaimThatIsNotCommittedIsInFlightForAPlainOneToo(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.open(t)
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		joined, err := store.Join(tx)
		require.NoError(t, err)
		c := claimOf("key")
		begins(t, joined, c, backend.Claimed)
		start := time.Now()
		begins(t, store, again(c), backend.InFlight)
		require.Less(t, time.Since(start), 10*time.Second, "it waited as long as the server does")
	})
}

func TestAnAnswerThatTheServerCannotTakeIsTooLarge(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.open(t)
		var most int
		require.NoError(t, db.GetContext(t.Context(), &most, `SELECT @@max_allowed_packet`))
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		_, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, string(make([]byte, most))))
		require.ErrorIs(t, err, backend.ErrTooLarge)
		completes(t, store, c, string(make([]byte, most-4<<10)))
		require.Len(t, begins(t, store, again(c), backend.Replay).Answer, most-4<<10)

		inside := claimOf("inside")
		inTx(t, store, inside, func(ctx context.Context, tx *sqlx.Tx, joined backend.TxStore) error {
			_, err := joined.Complete(ctx, inside.ID, inside.Token, completionOf(inside, string(make([]byte, most))))
			require.ErrorIs(t, err, backend.ErrTooLarge)
			return answering(inside, "tombstone")(ctx, tx, joined)
		}, backend.Claimed)
		begins(t, store, again(inside), backend.Replay)

		held := claimOf("held")
		begins(t, store, held, backend.Claimed)
		_, err = store.Hold(t.Context(), held.ID, held.Token, "")
		require.NoError(t, err)
		_, err = store.Resolve(t.Context(), backend.NewRef(held.ID, held.Token), completionOf(held, string(make([]byte, most))))
		require.ErrorIs(t, err, backend.ErrTooLarge)
	})
}

// An upsert takes any unique index for the key.
func TestAnotherUniqueIndexNeverAnswersForAnotherRecord(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.open(t)
		first, second := claimOf("first"), claimOf("second")
		begins(t, store, first, backend.Claimed)
		completes(t, store, first, "the answer of the first")
		p.run(t, db, `ALTER TABLE {t} ADD UNIQUE (user_name)`)
		_, err := store.Begin(t.Context(), second)
		require.Error(t, err)
		require.Equal(t, []byte("the answer of the first"), begins(t, store, again(first), backend.Replay).Answer)
		require.Equal(t, 1, p.count(t, db, "1 = 1"))
	})
}

func TestNoErrorRepeatsAValue(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		_, store := p.open(t)
		c := claimOf("key")
		c.User = "secret\xff"
		_, err := store.Begin(t.Context(), c)
		require.ErrorContains(t, err, "1366")
		require.NotContains(t, err.Error(), "secret")
		require.NotContains(t, err.Error(), `\xFF`)
	})
}

func TestAUserWhoIsLockedIsWaitedFor(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.keyed(t)
		p.run(t, db, `INSERT INTO {t}_users VALUES ('user', 0)`)
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(t.Context(), p.sql(`UPDATE {t}_users SET cents = 1`))
		require.NoError(t, err)
		time.AfterFunc(100*time.Millisecond, func() { _ = tx.Commit() })
		c := claimOf("key")
		inTx(t, store, c, answering(c, "answer"), backend.Claimed)
	})
}
