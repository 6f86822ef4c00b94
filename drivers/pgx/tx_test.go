package pgx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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

func TestADuplicateOfAnOpenTransactionIsToldAtOnce(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	_, store := openIn(t, schema, server(t))
	_, other := openIn(t, schema, server(t))
	for name, prior := range map[string]func(backend.Claim){
		"of a first run": func(backend.Claim) {},
		"of a takeover": func(c backend.Claim) {
			c.Lease = 0
			begins(t, store, again(c), backend.Claimed)
		},
	} {
		own := claimOf(name)
		prior(own)
		inTx(t, store, own, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
			soon, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for _, s := range []*sqlbackend.Store{store, other} {
				g, err := s.InTx(soon, again(own), mustNotRun(t))
				require.NoError(t, err, name)
				require.Equal(t, backend.InFlight, g.Verdict, name)
				require.Equal(t, own.Lease, g.LeaseLeft)
			}
			return answering(own, "answer")(ctx, tx, s)
		}, backend.Claimed)
		require.Equal(t, []byte("answer"), inTx(t, other, again(own), mustNotRun(t), backend.Replay).Answer)
	}
}

// now() stands still in a transaction. A claim that is made and abandoned after its begin would be alive for ever.
func TestTheClockGoesOnInATransaction(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	var frozen time.Time
	require.NoError(t, tx.GetContext(t.Context(), &frozen, `SELECT now()`))
	c := claimOf("key")
	c.Lease = 30 * time.Millisecond
	begins(t, store, c, backend.Claimed)
	require.Eventually(t, func() bool {
		shown, err := store.Lookup(t.Context(), c.ID)
		return err == nil && shown.LeaseLeft < 0
	}, 10*time.Second, time.Millisecond)
	joined, err := store.Join(tx)
	require.NoError(t, err)
	g := begins(t, joined, again(c), backend.Claimed)
	require.Equal(t, 2, g.Attempt)
	require.NoError(t, tx.Commit())
	require.Greater(t, begins(t, store, again(claimOf("key")), backend.InFlight).LeaseLeft, time.Duration(-1))
}

func TestACommitWithoutAnswerIsSettled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		how  lostAck
		want backend.Verdict
	}{
		"it was carried out": {cutAfter, backend.Kept},
		"it never arrived":   {cutBefore, backend.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, store, w := openWired(t, newSchema(t), server(t), 2)
			w.commit.Store(&test.how)
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

func TestSettleWaitsForTheTransaction(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	joined, err := store.Join(tx)
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

func TestWhatTheServerRolledBackIsErrConflict(t *testing.T) {
	t.Parallel()
	t.Run("a serialization failure in run, wrapped or swallowed", func(t *testing.T) {
		t.Parallel()
		db, store := open(t, sqlbackend.TxIsolation(sql.LevelRepeatableRead))
		db.MustExec(`CREATE TABLE account (cents integer); INSERT INTO account VALUES (0)`)
		c := claimOf("key")
		_, err := store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
			db.MustExecContext(ctx, `UPDATE account SET cents = 1`)
			_, err := tx.ExecContext(ctx, `UPDATE account SET cents = 2`)
			return fmt.Errorf("pay: %w", err)
		})
		require.ErrorIs(t, err, backend.ErrConflict)
		require.ErrorContains(t, err, "pay: ")
		inTx(t, store, c, answering(c, "answer"), backend.Claimed)
	})
	t.Run("a deadlock", func(t *testing.T) {
		t.Parallel()
		db, store := open(t)
		db.MustExec(`CREATE TABLE account (id integer, cents integer); INSERT INTO account VALUES (1, 0), (2, 0)`)
		take := func(ctx context.Context, tx *sqlx.Tx, id int) error {
			_, err := tx.ExecContext(ctx, `UPDATE account SET cents = 1 WHERE id = $1`, id)
			return err
		}
		ready, ended := [2]chan struct{}{make(chan struct{}), make(chan struct{})}, make(chan error, 2)
		for i := range 2 {
			go func() {
				_, err := store.InTx(t.Context(), claimOf(fmt.Sprint(i)), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
					err := take(ctx, tx, 1+i)
					close(ready[i])
					<-ready[1-i]
					return errors.Join(err, take(ctx, tx, 2-i))
				})
				ended <- err
			}()
		}
		err := errors.Join(<-ended, <-ended)
		require.ErrorIs(t, err, backend.ErrConflict, "one of them is the victim")
	})
	t.Run("a joined claim in a REPEATABLE READ that another has overtaken", func(t *testing.T) {
		t.Parallel()
		db, store := open(t)
		tx, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		require.NoError(t, err)
		defer tx.Rollback()
		var n int
		require.NoError(t, tx.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))
		begins(t, store, claimOf("key"), backend.Claimed)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		_, err = joined.Begin(t.Context(), claimOf("key"))
		require.ErrorIs(t, err, backend.ErrConflict)
	})
}

func TestACommitThatTheServerRefusedIsNoLostOne(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	db.MustExec(`CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (a integer REFERENCES a DEFERRABLE INITIALLY DEFERRED)`)
	for name, run := range map[string]func(context.Context, *sqlx.Tx) error{
		"a constraint that is checked at the end": func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO b VALUES (1)`)
			return err
		},
		"a transaction that had failed before": func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, `SELECT 1 / 0`)
			require.Error(t, err)
			return nil
		},
	} {
		c := claimOf(name)
		_, err := store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error { return run(ctx, tx) })
		require.Error(t, err, name)
		require.NotErrorIs(t, err, backend.ErrCommitUnknown, name)
		require.NotErrorIs(t, err, backend.ErrUnknownUser, name)
		inTx(t, store, c, answering(c, "answer"), backend.Claimed)
	}
}

func TestAnAbandonedHoldIsHeldByATransactionToo(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	c := claimOf("key")
	c.Hold = true
	begins(t, store, c, backend.Claimed)
	advance(t, db, 2*time.Minute)
	inTx(t, store, again(c), mustNotRun(t), backend.Held)
	shown, err := store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, backend.Unknown, shown.State)
}

func TestAKeyToUsers(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	db, err := sqlx.Open("pgx", server(t, "search_path="+schema))
	require.NoError(t, err)
	defer db.Close()
	db.MustExec(`CREATE TABLE users (name text PRIMARY KEY)`)
	_, store := openIn(t, schema, server(t), sqlbackend.UsersKey("users", "name"))
	c := claimOf("key")

	_, err = store.Begin(t.Context(), c)
	require.ErrorIs(t, err, backend.ErrUnknownUser)
	require.NotContains(t, err.Error(), "(user)")
	var full *pgconn.PgError
	require.False(t, errors.As(err, &full), "its Detail names the user")
	_, err = store.InTx(t.Context(), c, mustNotRun(t))
	require.ErrorIs(t, err, backend.ErrUnknownUser)

	db.MustExec(`INSERT INTO users VALUES ('user')`)
	begins(t, store, c, backend.Claimed)
	db.MustExec(`DELETE FROM users`)
	shown, err := store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, backend.Absent, shown.State, "the cascade did not reach the record")
	g, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
	require.NoError(t, err)
	require.Equal(t, backend.Lost, g.Verdict)
	openIn(t, schema, server(t), sqlbackend.UsersKey("users", "name"))

	bare := newSchema(t)
	openIn(t, bare, server(t))
	_, _, err = Open(t.Context(), server(t, "search_path="+bare), sqlbackend.UsersKey("users", "name"))
	require.ErrorContains(t, err, "without the foreign key to users (name)")
}

func TestTheGateIsTheTablesOwn(t *testing.T) {
	t.Parallel()
	_, store := open(t)
	_, other := open(t) // the same name in another schema
	c := claimOf("key")
	inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
		inTx(t, other, again(c), answering(c, "answer"), backend.Claimed)
		return answering(c, "answer")(ctx, tx, s)
	}, backend.Claimed)
}
