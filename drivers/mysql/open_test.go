package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// serverURL names the server: a mysql:// URL under which a database of the tests' own may be made and dropped.
const serverURL = "IDEM_TEST_MYSQL"

// database is the address of a database of a test's own, with parameters.
func database(t *testing.T, parameters url.Values) string {
	t.Helper()
	text := os.Getenv(serverURL)
	if text == "" {
		t.Skipf("NOT TESTED: %s names no MariaDB server, as in mysql://user@127.0.0.1/db", serverURL)
	}
	config, err := parseURL(text)
	require.NoError(t, err)
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	admin := sql.OpenDB(connector)
	name := "idem_mysql_" + strings.ToLower(rand.Text()[:10])
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name)
		require.NoError(t, errors.Join(err, admin.Close()))
	})
	u, err := url.Parse(text)
	require.NoError(t, err)
	u.Path, u.RawQuery = "/"+name, parameters.Encode()
	return u.String()
}

func TestTheSchemeIsRegistered(t *testing.T) {
	t.Parallel()
	address := database(t, url.Values{"table": {"orders"}, "readable": {"false"}, "conns": {"2"}, "sql_mode": {"''"}, "clientFoundRows": {"true"}})
	h, err := backend.Open(t.Context(), address)
	require.NoError(t, err)
	defer func() { require.NoError(t, h.Close()) }()
	g, err := h.Store.Begin(t.Context(), backend.Claim{
		ID:          backend.NewID("guard", "user", "key"),
		Token:       backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("request")),
		Lease:       time.Minute,
		Retention:   time.Hour,
		Guard:       "guard", User: "user", Key: "key",
	})
	require.NoError(t, err)
	require.Equal(t, backend.Claimed, g.Verdict)
	db, _, err := Open(t.Context(), address)
	require.NoError(t, err)
	defer db.Close()
	var n int
	require.NoError(t, db.GetContext(t.Context(), &n, `SELECT COUNT(*) FROM orders WHERE user_name IS NULL`))
	require.Equal(t, 1, n)
}

func TestOpenSetsEveryConnectionUp(t *testing.T) {
	t.Parallel()
	db, store, err := Open(t.Context(), database(t, nil))
	require.NoError(t, err)
	defer db.Close()
	var level string
	require.NoError(t, db.GetContext(t.Context(), &level, `SELECT @@tx_isolation`))
	require.Equal(t, "READ-COMMITTED", level)
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	for _, f := range found {
		require.Contains(t, []string{"innodb_flush_log_at_trx_commit", "innodb_doublewrite", "sync_binlog"}, f.Setting, "a test server may be set up to be fast")
	}
}

func TestWhatOpenIsNotGivenRightIsNamed(t *testing.T) {
	t.Parallel()
	_, _, err := Open(t.Context(), "mysql://h/d", nil)
	require.ErrorContains(t, err, "option 1")
	_, _, err = Open(t.Context(), "mysql://127.0.0.1:1/d", sqlbackend.Conns(10_001))
	require.ErrorContains(t, err, "Conns")
	_, _, err = Open(t.Context(), "mysql://127.0.0.1:1/d", sqlbackend.PruneStep(0))
	require.ErrorContains(t, err, "PruneStep")
}

func TestErrorsHaveTheirServersNumbers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		number uint16
		ok     bool
	}{
		{fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: 1213}), 1213, true},
		{fmt.Errorf("wrapped: %w", mysql.ErrPktTooLarge), 1153, true},
		{mysql.ErrInvalidConn, 0, false},
		{nil, 0, false},
	} {
		number, ok := errorNumber(test.err)
		require.Equal(t, test.number, number, "%v", test.err)
		require.Equal(t, test.ok, ok, "%v", test.err)
	}
}
