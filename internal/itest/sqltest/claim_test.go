package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
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

// again is the claim of another attempt at the same request.
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

func mustReturn(err error) body {
	return func(context.Context, *sqlx.Tx, backend.TxStore) error { return err }
}

// joins begins a transaction of the application's, at the isolation that is asked of it, and joins it.
func (p *place) joins(t *testing.T, db *sqlx.DB, store *sqlbackend.Store) (*sqlx.Tx, backend.TxStore) {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), p.family().joins)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	joined, err := store.Join(tx)
	require.NoError(t, err)
	return tx, joined
}
