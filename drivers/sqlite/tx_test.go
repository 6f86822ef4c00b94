package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

type body = func(context.Context, *sqlx.Tx, backend.TxStore) error

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

// snapshotConflict returns the driver's error 517: a transaction that has read wants to write after somebody else has.
func snapshotConflict(t *testing.T, file string) error {
	t.Helper()
	writer, _ := openFile(t, file)
	reader, _ := openDeferred(t, file)
	tx, err := reader.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	var n int
	require.NoError(t, tx.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))
	_, err = writer.ExecContext(t.Context(), `CREATE TABLE conflict (n)`)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `DELETE FROM idem_records`)
	code, _ := errorCode(err)
	require.Equal(t, 517, code)
	return err
}

// openDeferred opens file as somebody might who leaves _txlock out.
func openDeferred(t *testing.T, file string) (*sqlx.DB, *sqlbackend.Store) {
	t.Helper()
	db, err := sqlx.Open(driverName, deferredDSN(t, file))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, Dialect()))
	store, err := sqlbackend.New(t.Context(), db, Dialect())
	require.NoError(t, err)
	return db, store
}

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

func mustReturn(err error) body {
	return func(context.Context, *sqlx.Tx, backend.TxStore) error { return err }
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
			db, store := openFile(t, newFile(t), sqlbackend.Conns(conns), BusyTimeout(time.Millisecond))
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

func TestADeferredTransactionNeverMeetsASnapshotConflict(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, first := openDeferred(t, file)
	_, second := openDeferred(t, file)
	var group sync.WaitGroup
	for i, store := range []*sqlbackend.Store{first, second} {
		for g := range 4 {
			group.Go(func() {
				for n := range 25 {
					c := claimOf(fmt.Sprint(i, g, n))
					if _, err := store.InTx(t.Context(), c, answering(c, "answer")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
}

func TestASnapshotConflictIsErrConflict(t *testing.T) {
	t.Parallel()
	t.Run("in a joined transaction that had read before", func(t *testing.T) {
		t.Parallel()
		file := newFile(t)
		db, store := openDeferred(t, file)
		_, other := openFile(t, file)
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		var n int
		require.NoError(t, tx.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))
		begins(t, other, claimOf("other"), backend.Claimed)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		_, err = joined.Begin(t.Context(), claimOf("key"))
		require.ErrorIs(t, err, backend.ErrConflict)
	})
	t.Run("out of run, also wrapped", func(t *testing.T) {
		t.Parallel()
		file := newFile(t)
		_, store := openFile(t, file)
		conflict := fmt.Errorf("pay: %w", snapshotConflict(t, file))
		_, err := store.InTx(t.Context(), claimOf("key"), mustReturn(conflict))
		require.ErrorIs(t, err, backend.ErrConflict)
		require.ErrorIs(t, err, conflict)
		inTx(t, store, claimOf("key"), mustReturn(nil), backend.Claimed)
	})
}

func TestAJoinedClaimIsTheFirstToWrite(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db, store := openDeferred(t, file)
	_, other := openFile(t, file, BusyTimeout(time.Millisecond))
	done := claimOf("done")
	begins(t, store, done, backend.Claimed)
	completes(t, store, done, "answer")
	for name, c := range map[string]backend.Claim{"a first run": claimOf("key"), "a replay": again(done)} {
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		_, err = joined.Begin(t.Context(), c)
		require.NoError(t, err)
		_, err = other.Begin(t.Context(), claimOf("other"))
		require.ErrorContains(t, err, "SQLITE_BUSY", name+" has not taken the lock")
		require.NoError(t, tx.Rollback())
	}
}

func TestABusyCommitIsErrConflict(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db, store := openFile(t, file, BusyTimeout(20*time.Millisecond))
	reader, _ := openFile(t, file)
	require.NoError(t, reader.Close())
	_, err := db.ExecContext(t.Context(), `PRAGMA journal_mode = DELETE`) // then a reader keeps a COMMIT out
	require.NoError(t, err)
	reader, err = sqlx.Open(driverName, deferredDSN(t, file))
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

func deferredDSN(t *testing.T, file string) string {
	t.Helper()
	s := settings{synchronous: "NORMAL", busyTimeout: time.Minute}
	dsn, err := s.dsn(file)
	require.NoError(t, err)
	deferred := strings.Replace(dsn, "_txlock=immediate", "_txlock=deferred", 1)
	require.NotEqual(t, dsn, deferred)
	return deferred
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
			_, store, tap := openTapped(t, newFile(t))
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

func TestSettleWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, BusyTimeout(time.Millisecond))
	db, other := openFile(t, file)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	joined, err := other.Join(tx)
	require.NoError(t, err)
	c := claimOf("key")
	begins(t, joined, c, backend.Claimed)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = store.Settle(short, c.ID, c.Token)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	settled := make(chan backend.Verdict)
	go func() {
		g, err := store.Settle(t.Context(), c.ID, c.Token)
		if err != nil {
			t.Error(err)
		}
		settled <- g.Verdict
	}()
	require.NoError(t, tx.Commit())
	require.Equal(t, backend.Kept, <-settled)
}

func TestWritingPastTheTransactionInsideIt(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), BusyTimeout(20*time.Millisecond))
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

func TestATransactionThatRunEndedIsAnError(t *testing.T) {
	t.Parallel()
	_, store := openFile(t, newFile(t))
	c := claimOf("key")
	_, err := store.InTx(t.Context(), c, func(_ context.Context, tx *sqlx.Tx, _ backend.TxStore) error { return tx.Rollback() })
	require.ErrorIs(t, err, sql.ErrTxDone)
	require.NotErrorIs(t, err, backend.ErrCommitUnknown)
	inTx(t, store, c, answering(c, "answer"), backend.Claimed)
}

func TestAConstraintAtTheEndIsNoLostCommit(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	_, err := db.ExecContext(t.Context(), `CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED)`)
	require.NoError(t, err)
	c := claimOf("key")
	_, err = store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO b VALUES (1)`)
		return err
	})
	require.ErrorContains(t, err, "FOREIGN KEY")
	require.NotErrorIs(t, err, backend.ErrCommitUnknown)
	require.NotErrorIs(t, err, backend.ErrUnknownUser)
	inTx(t, store, c, answering(c, "answer"), backend.Claimed)
}

func TestAnAbandonedHoldIsHeldByATransactionToo(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	c := claimOf("key")
	c.Hold = true
	begins(t, store, c, backend.Claimed)
	advance(t, db, 2*time.Minute)
	inTx(t, store, again(c), mustNotRun(t), backend.Held)
	shown, err := store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, backend.Unknown, shown.State)
}

func TestAClaimThatIsItsOwnAlreadyStillRuns(t *testing.T) {
	t.Parallel()
	_, store := openFile(t, newFile(t))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	ran := false
	inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
		ran = true
		return answering(c, "answer")(ctx, tx, s)
	}, backend.Claimed)
	require.True(t, ran)
}
