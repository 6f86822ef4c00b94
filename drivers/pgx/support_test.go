package pgx

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// serverURL names a server, and a database in it where schemas may be made and dropped.
const serverURL = "IDEM_TEST_POSTGRES"

var schemas atomic.Int64

// server returns the URL of the test's server, with settings for the session.
func server(tb testing.TB, settings ...string) string {
	tb.Helper()
	text := os.Getenv(serverURL)
	if text == "" {
		tb.Skipf("NOT TESTED: %s names no PostgreSQL server, as in postgres://user@127.0.0.1/db", serverURL)
	}
	u, err := url.Parse(text)
	require.NoError(tb, err)
	query := u.Query()
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		query.Set(name, value)
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx takes + for itself
	return u.String()
}

// newSchema makes a schema, which goes with the test.
func newSchema(tb testing.TB) string {
	tb.Helper()
	db, err := sqlx.Open("pgx", server(tb))
	require.NoError(tb, err)
	name := fmt.Sprintf("idem_pgx_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = db.ExecContext(tb.Context(), `CREATE SCHEMA `+name)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, err := db.ExecContext(ctx, `DROP SCHEMA `+name+` CASCADE`)
		require.NoError(tb, err)
		require.NoError(tb, db.Close())
	})
	return name
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
