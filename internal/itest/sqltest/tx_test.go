package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestADuplicateOfAnOpenTransactionIsToldAtOnce(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		stores := p.two(t)
		for name, prior := range map[string]func(backend.Claim){
			"of a first run": func(backend.Claim) {},
			"of a takeover": func(c backend.Claim) {
				c.Lease = 0
				begins(t, stores[0], again(c), backend.Claimed)
			},
		} {
			own := claimOf(name)
			prior(own)
			inTx(t, stores[0], own, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
				soon, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				for _, s := range stores {
					g, err := s.InTx(soon, again(own), mustNotRun(t))
					require.NoError(t, err, name)
					require.Equal(t, backend.InFlight, g.Verdict, name)
					require.Equal(t, own.Lease, g.LeaseLeft)
				}
				return answering(own, "answer")(ctx, tx, s)
			}, backend.Claimed)
			require.Equal(t, []byte("answer"), inTx(t, stores[1], again(own), mustNotRun(t), backend.Replay).Answer)
		}
	})
}

// now() may stand still in a transaction. A claim that is made and abandoned after its begin would be alive for ever.
func TestTheClockGoesOnInATransaction(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		db, store := p.open(t)
		tx, joined := p.joins(t, db, store)
		var frozen string
		require.NoError(t, tx.GetContext(t.Context(), &frozen, `SELECT now()`))
		c := claimOf("key")
		c.Lease = 30 * time.Millisecond
		begins(t, store, c, backend.Claimed)
		require.Eventually(t, func() bool {
			shown, err := store.Lookup(t.Context(), c.ID)
			return err == nil && shown.LeaseLeft < 0
		}, 10*time.Second, time.Millisecond)
		c.Lease = time.Minute
		g := begins(t, joined, again(c), backend.Claimed)
		require.Equal(t, 2, g.Attempt)
		require.NoError(t, tx.Commit())
		left := begins(t, store, again(c), backend.InFlight).LeaseLeft
		require.InDelta(t, time.Minute, left, float64(30*time.Second))
	})
}

func TestADeadlockIsErrConflict(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		db, store := p.open(t)
		p.run(t, db, `CREATE TABLE {t}_account (id INTEGER PRIMARY KEY, cents INTEGER)`)
		p.run(t, db, `INSERT INTO {t}_account VALUES (1, 0), (2, 0)`)
		take := func(ctx context.Context, tx *sqlx.Tx, id int) error {
			_, err := tx.ExecContext(ctx, p.sql(`UPDATE {t}_account SET cents = 1 WHERE id = ?`), id)
			return err
		}
		errs := make([]error, 2)
		var both, group sync.WaitGroup
		both.Add(2)
		for i := range errs {
			group.Go(func() {
				_, errs[i] = store.InTx(t.Context(), claimOf(fmt.Sprint(i)), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
					err := take(ctx, tx, 1+i)
					both.Done()
					both.Wait()
					if err == nil {
						err = take(ctx, tx, 2-i)
					}
					return err
				})
			})
		}
		group.Wait()
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		require.ErrorIs(t, errs[0], backend.ErrConflict, "one of them is the victim")
		require.NoError(t, errs[1])
		require.Equal(t, 1, p.count(t, db, `1 = 1`), "the victim's claim is gone")
	})
}

func TestASerializationFailureInRunIsErrConflict(t *testing.T) { // wrapped or swallowed
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.open(t, sqlbackend.TxIsolation(sql.LevelRepeatableRead))
		p.run(t, db, `CREATE TABLE {t}_account (cents INTEGER)`)
		p.run(t, db, `INSERT INTO {t}_account VALUES (0)`)
		c := claimOf("key")
		_, err := store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
			p.run(t, db, `UPDATE {t}_account SET cents = 1`)
			_, err := tx.ExecContext(ctx, p.sql(`UPDATE {t}_account SET cents = 2`))
			return fmt.Errorf("pay: %w", err)
		})
		require.ErrorIs(t, err, backend.ErrConflict)
		require.ErrorContains(t, err, "pay: ")
		inTx(t, store, c, answering(c, "answer"), backend.Claimed)
	})
}

func TestAJoinedClaimThatAnotherHasOvertakenIsErrConflict(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.open(t)
		tx, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		require.NoError(t, err)
		defer tx.Rollback()
		require.Zero(t, p.count(t, tx, "1 = 1"))
		begins(t, store, claimOf("key"), backend.Claimed)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		_, err = joined.Begin(t.Context(), claimOf("key"))
		require.ErrorIs(t, err, backend.ErrConflict)
	})
}

func TestAnAbandonedHoldIsHeldByATransactionToo(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.open(t)
		c := claimOf("key")
		c.Hold = true
		begins(t, store, c, backend.Claimed)
		p.advance(t, db, 2*time.Minute)
		inTx(t, store, again(c), mustNotRun(t), backend.Held)
		shown, err := store.Lookup(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, backend.Unknown, shown.State)
	})
}

func TestAClaimThatIsItsOwnAlreadyStillRuns(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.open(t)
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		ran := false
		inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
			ran = true
			return answering(c, "answer")(ctx, tx, s)
		}, backend.Claimed)
		require.True(t, ran)
	})
}

func TestARunThatBreaksAKeyOfItsOwnIsNoUnknownUser(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.open(t)
		p.run(t, db, `CREATE TABLE {t}_a (id INTEGER PRIMARY KEY)`)
		p.run(t, db, `CREATE TABLE {t}_b (a INTEGER, FOREIGN KEY (a) REFERENCES {t}_a (id))`)
		_, err := store.InTx(t.Context(), claimOf("key"), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
			_, err := tx.ExecContext(ctx, p.sql(`INSERT INTO {t}_b VALUES (1)`))
			return fmt.Errorf("mine: %w", err)
		})
		require.ErrorContains(t, err, "mine")
		require.NotErrorIs(t, err, backend.ErrUnknownUser)
	})
}
