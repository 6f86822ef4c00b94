package pq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

type body = func(context.Context, *sqlx.Tx, backend.TxStore) error

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

func TestAKeyToUsers(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	db, err := sqlx.Open("postgres", server(t, "search_path="+schema))
	require.NoError(t, err)
	defer db.Close()
	db.MustExec(`CREATE TABLE users (name text PRIMARY KEY)`)
	_, store := openIn(t, schema, server(t), sqlbackend.UsersKey("users", "name"))
	c := claimOf("key")

	_, err = store.Begin(t.Context(), c)
	require.ErrorIs(t, err, backend.ErrUnknownUser)
	require.NotContains(t, err.Error(), "(user)")
	var full *pq.Error
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
