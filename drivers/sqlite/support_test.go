package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// newFile returns the name of a file that is not there yet. Its characters mean something in a URI.
func newFile(tb testing.TB) string {
	return filepath.Join(tb.TempDir(), "idem %41?#&;=ü.db")
}

func openFile(tb testing.TB, file string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store) {
	tb.Helper()
	db, store, err := Open(tb.Context(), file, append([]sqlbackend.OpenOption{Synchronous("normal")}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db, store
}

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

func begins(t *testing.T, s backend.Store, c backend.Claim, want backend.Verdict) {
	t.Helper()
	g, err := s.Begin(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
}
