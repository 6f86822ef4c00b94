package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

type (
	txType = sqlx.Tx
	body   = func(context.Context, *sqlx.Tx, backend.TxStore) error
)

// answering completes c inside the transaction.
func answering(c backend.Claim, answer string) body {
	return func(ctx context.Context, _ *sqlx.Tx, s backend.TxStore) error {
		_, err := s.Complete(ctx, c.ID, c.Token, completionOf(c, answer))
		return err
	}
}

func inTx(t *testing.T, s *sqlbackend.Store, c backend.Claim, run body, want backend.Verdict) backend.Grant {
	t.Helper()
	g, err := s.InTx(t.Context(), c, run)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	return g
}

func mustNotRun(t *testing.T) body {
	return func(context.Context, *sqlx.Tx, backend.TxStore) error {
		t.Error("run was called")
		return nil
	}
}

// own begins a transaction of the application's at READ COMMITTED and joins it.
func own(t *testing.T, db *sqlx.DB, store *sqlbackend.Store) (*sqlx.Tx, backend.TxStore) {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	joined, err := store.Join(tx)
	require.NoError(t, err)
	return tx, joined
}

func TestADuplicateOfAnOpenTransactionLeavesTheCallersRows(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]string{
		"at READ COMMITTED":                     "",
		"and the server's default is otherwise": "tx_isolation=%27SERIALIZABLE%27",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params = params
			db, store := s.open(t)
			s.run(t, db, `CREATE TABLE {t}_rows (n INTEGER)`)
			c := claimOf("key")
			inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, joined backend.TxStore) error {
				second, duplicate := own(t, db, store)
				_, err := second.ExecContext(ctx, s.sql(`INSERT INTO {t}_rows VALUES (1)`))
				require.NoError(t, err)
				start := time.Now()
				begins(t, duplicate, again(c), backend.InFlight)
				require.Less(t, time.Since(start), 10*time.Second, "it waited for the row, for which the server gives 50 s")
				require.NoError(t, second.Commit())
				inTx(t, store, again(c), mustNotRun(t), backend.InFlight)
				return answering(c, "answer")(ctx, tx, joined)
			}, backend.Claimed)
			var rows int
			require.NoError(t, db.GetContext(t.Context(), &rows, s.sql(`SELECT COUNT(*) FROM {t}_rows`)))
			require.Equal(t, 1, rows)
			inTx(t, store, again(c), mustNotRun(t), backend.Replay)
		})
	}
}

func TestAReplayInsideATransactionLocksNothing(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	done, pending, held := claimOf("done"), claimOf("pending"), claimOf("held")
	for _, c := range []backend.Claim{done, pending, held} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer")
	_, err := store.Hold(t.Context(), held.ID, held.Token, "")
	require.NoError(t, err)

	_, joined := own(t, db, store)
	begins(t, joined, again(done), backend.Replay)
	begins(t, joined, otherRequest(done), backend.Mismatch)
	begins(t, joined, again(pending), backend.InFlight)
	begins(t, joined, again(held), backend.Held)
	s.run(t, db, `SELECT id FROM {t} FOR UPDATE NOWAIT`)
	found, err := store.Forget(t.Context(), done.ID)
	require.NoError(t, err)
	require.True(t, found)
}

func TestRoundTripsOfATransaction(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.conns = 1
	_, store, tap := s.openTapped(t)
	first, replay := tripsOfATransaction(t, store, tap)
	require.EqualValues(t, 6, first, "look, SET TRANSACTION, START TRANSACTION, claim, complete, COMMIT")
	require.EqualValues(t, 1, replay)
}

// tripsOfATransaction counts the round trips of a first run and of a replay, once they are prepared.
func tripsOfATransaction(t *testing.T, store *sqlbackend.Store, tap *tapped) (first, replay int64) {
	t.Helper()
	run := func(key string) backend.Claim {
		c := claimOf(key)
		inTx(t, store, c, answering(c, "answer"), backend.Claimed)
		return c
	}
	c := run("what is prepared")
	before := tap.trips.Load()
	run("key")
	first = tap.trips.Load() - before
	before = tap.trips.Load()
	inTx(t, store, again(c), mustNotRun(t), backend.Replay)
	return first, tap.trips.Load() - before
}

func TestADeadlockOfRunIsErrConflict(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	s.run(t, db, `CREATE TABLE {t}_a (id INTEGER PRIMARY KEY, n INTEGER)`)
	s.run(t, db, `INSERT INTO {t}_a VALUES (1, 0), (2, 0)`)
	add := func(ctx context.Context, tx *sqlx.Tx, id int) error {
		_, err := tx.ExecContext(ctx, s.sql(`UPDATE {t}_a SET n = n + 1 WHERE id = ?`), id)
		return err
	}
	errs := make([]error, 2)
	var both, group sync.WaitGroup
	both.Add(2)
	for i := range errs {
		group.Go(func() {
			c := claimOf(fmt.Sprint(i))
			_, errs[i] = store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
				err := add(ctx, tx, 1+i)
				both.Done()
				both.Wait()
				if err == nil {
					err = add(ctx, tx, 2-i)
				}
				return err
			})
		})
	}
	group.Wait()
	if errs[0] == nil {
		errs[0], errs[1] = errs[1], errs[0]
	}
	require.ErrorIs(t, errs[0], backend.ErrConflict)
	require.NoError(t, errs[1])
	require.Equal(t, 1, s.count(t, db, `TRUE`), "the victim's claim is gone")
}

func TestACommitWithoutAnswerIsSettled(t *testing.T) {
	t.Parallel()
	lost := errors.New("the answer was lost")
	for name, test := range map[string]struct {
		commit func(driver.Tx) error
		want   backend.Verdict
	}{
		"it took effect":    {func(tx driver.Tx) error { return errors.Join(tx.Commit(), lost) }, backend.Kept},
		"it was not to be":  {func(tx driver.Tx) error { return errors.Join(tx.Rollback(), lost) }, backend.Lost},
		"with a bad socket": {func(tx driver.Tx) error { return errors.Join(tx.Commit(), driver.ErrBadConn) }, backend.Kept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			_, store, tap := s.openTapped(t)
			tap.commit.Store(&test.commit)
			c := claimOf("key")
			_, err := store.InTx(t.Context(), c, answering(c, "answer"))
			require.ErrorIs(t, err, backend.ErrCommitUnknown)
			g, err := store.Settle(t.Context(), c.ID, c.Token)
			require.NoError(t, err)
			require.Equal(t, test.want, g.Verdict)
			if test.want == backend.Kept {
				require.Equal(t, []byte("answer"), g.Answer)
			}
		})
	}
}

func TestSettleWaitsForAnInsertThatIsNotCommitted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		end  func(*sqlx.Tx) error
		want backend.Verdict
	}{
		"and then is":     {(*sqlx.Tx).Commit, backend.Kept},
		"and then is not": {(*sqlx.Tx).Rollback, backend.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			db, store := s.open(t)
			tx, joined := own(t, db, store)
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
}

func TestATransactionThatRunEndedIsAnError(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, store := s.open(t)
	c := claimOf("key")
	_, err := store.InTx(t.Context(), c, func(_ context.Context, tx *sqlx.Tx, _ backend.TxStore) error { return tx.Rollback() })
	require.ErrorIs(t, err, sql.ErrTxDone)
	require.NotErrorIs(t, err, backend.ErrCommitUnknown)
	inTx(t, store, c, answering(c, "answer"), backend.Claimed)
}

func TestAnAbandonedHoldIsHeldByATransactionToo(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	c := claimOf("key")
	c.Hold = true
	begins(t, store, c, backend.Claimed)
	s.advance(t, db, 2*time.Minute)
	inTx(t, store, again(c), mustNotRun(t), backend.Held)
	shown, err := store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, backend.Unknown, shown.State)
}

func TestTransactionsWithOneKeyRunOnce(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.conns = 10
	db, store := s.open(t)
	s.run(t, db, `CREATE TABLE {t}_effects (n INTEGER)`)
	for round := range 50 {
		c := claimOf(fmt.Sprint(round))
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				mine := again(c)
				_, err := store.InTx(t.Context(), mine, func(ctx context.Context, tx *sqlx.Tx, joined backend.TxStore) error {
					if _, err := tx.ExecContext(ctx, s.sql(`INSERT INTO {t}_effects VALUES (1)`)); err != nil {
						return err
					}
					return answering(mine, "answer")(ctx, tx, joined)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		var effects int
		require.NoError(t, db.GetContext(t.Context(), &effects, s.sql(`SELECT COUNT(*) FROM {t}_effects`)))
		require.Equal(t, round+1, effects)
	}
}
