package pq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func claimOf(key string) backend.Claim {
	return backend.Claim{
		ID:          backend.NewID("guard", "user", key),
		Token:       backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("request")),
		Lease:       time.Minute,
		Retention:   time.Hour,
		Guard:       "guard", User: "user", Key: key,
	}
}

func again(c backend.Claim) backend.Claim {
	c.Token = backend.NewToken()
	return c
}

func otherRequest(c backend.Claim) backend.Claim {
	c = again(c)
	c.Fingerprint = backend.NewFingerprint([]byte("another request"))
	return c
}

func completionOf(c backend.Claim, answer string) backend.Completion {
	return backend.Completion{Fingerprint: c.Fingerprint, Answer: []byte(answer), Retention: time.Hour}
}

func begins(t *testing.T, s backend.Store, c backend.Claim, want backend.Verdict) backend.Grant {
	t.Helper()
	g, err := s.Begin(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	return g
}

func completes(t *testing.T, s backend.Store, c backend.Claim, answer string) {
	t.Helper()
	g, err := s.Complete(t.Context(), c.ID, c.Token, completionOf(c, answer))
	require.NoError(t, err)
	require.Equal(t, backend.Kept, g.Verdict)
}

func race(t *testing.T, stores [2]*sqlbackend.Store, rounds int) {
	t.Helper()
	for round := range rounds {
		c := claimOf(strconv.Itoa(round))
		var claimed, inFlight atomic.Int32
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				g, err := stores[i%2].Begin(t.Context(), again(c))
				switch {
				case err != nil:
					t.Error(err)
				case g.Verdict == backend.Claimed:
					claimed.Add(1)
				case g.Verdict == backend.InFlight:
					inFlight.Add(1)
				}
			})
		}
		group.Wait()
		require.Equal(t, []int32{1, 19}, []int32{claimed.Load(), inFlight.Load()}, "round %d", round)
	}
}

func TestOfTwentyGoroutinesOneClaims(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	_, first := openIn(t, schema, server(t))
	_, second := openIn(t, schema, server(t))
	race(t, [2]*sqlbackend.Store{first, second}, 50)
}

func TestAnyDefaultIsolationWillDo(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"serializable", "repeatable read"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			schema := newSchema(t)
			dsn := server(t, "default_transaction_isolation="+level)
			db, first := openIn(t, schema, dsn)
			_, second := openIn(t, schema, dsn)
			race(t, [2]*sqlbackend.Store{first, second}, 50)
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					for n := range 5 {
						c := claimOf(fmt.Sprint("own ", i, n))
						g, err := first.Begin(t.Context(), c)
						if err == nil && g.Verdict == backend.Claimed {
							_, err = second.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			var level string
			inTx(t, first, claimOf("tx"), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
				return tx.GetContext(ctx, &level, `SHOW transaction_isolation`)
			}, backend.Claimed)
			require.Equal(t, "read committed", level)
			require.Equal(t, 100, count(t, db, "state = 2"))
		})
	}
}

func count(t *testing.T, db *sqlx.DB, where string) (n int) {
	t.Helper()
	require.NoError(t, db.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records WHERE `+where))
	return n
}

func TestTheStoreTellsTheCauseOfAnEndedContext(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.ExecContext(t.Context(), `SELECT 1 FROM idem_records FOR UPDATE`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = store.Complete(ctx, c.ID, c.Token, completionOf(c, "answer"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAServerThatRefusesWritesIsNamed(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	openIn(t, schema, server(t))
	dsn := server(t, "search_path="+schema, "default_transaction_read_only=on")
	_, _, err := Open(t.Context(), dsn)
	require.ErrorContains(t, err, "read-only (transaction_read_only is on)")

	db, store := openIn(t, schema, server(t), sqlbackend.Conns(1))
	_, err = db.ExecContext(t.Context(), `SET default_transaction_read_only = on`)
	require.NoError(t, err)
	_, err = store.Begin(t.Context(), claimOf("key"))
	require.ErrorContains(t, err, "standby or read-only")
	require.NotErrorIs(t, err, backend.ErrConflict)
}

func TestNoServersErrorRepeatsTheRow(t *testing.T) {
	t.Parallel()
	db, store := open(t)
	_, err := db.ExecContext(t.Context(), `ALTER TABLE idem_records ADD CHECK (state <> 2), ADD CHECK (key_text <> 'secret')`)
	require.NoError(t, err)
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	_, refused := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
	_, refusedToo := store.Begin(t.Context(), claimOf("secret"))
	for _, err := range []error{refused, refusedToo} {
		require.ErrorContains(t, err, "check constraint")
		var full *pq.Error
		require.False(t, errors.As(err, &full), "its Detail is the row")
	}
}
