package sqltest

import (
	"database/sql/driver"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	sqlitedriver "modernc.org/sqlite"

	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

var sqliteFamily = &family{
	fresh: func(tb testing.TB, v *via) *place {
		return &place{via: v, at: newFile(tb), table: defaultTable}
	},
	bind: sqlx.QUESTION,
	zero: `x'00'`,
	user: "TEXT",
	fill: filledBy(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})
INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note)
SELECT randomblob(32), randomblob(16), randomblob(33), {row}, zeroblob(128), '' FROM n`),
	empty: func(tb testing.TB, v *via) *place {
		return &place{via: v, at: newFile(tb), table: defaultTable}
	},
	empties: "DELETE FROM ",
	address: func(p *place) string { return p.at },
}

var viaSQLite = &via{
	name: "sqlite", family: sqliteFamily, dialect: sqlite.Dialect, open: sqlite.Open, connector: connectorSQLite,
	own:        []sqlbackend.OpenOption{sqlite.Synchronous("normal")},
	migrations: "migrations/sqlite",
}

// newFile returns the name of a file that is not there yet. Its characters mean something in a URI.
func newFile(tb testing.TB) string {
	return filepath.Join(tb.TempDir(), "idem %41?#&;=ü.db")
}

// openFile opens a file of a test that is about SQLite alone.
func openFile(tb testing.TB, file string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store) {
	tb.Helper()
	db, store, err := sqlite.Open(tb.Context(), file, append([]sqlbackend.OpenOption{sqlite.Synchronous("normal")}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db, store
}

// sqliteDSN is what an application might write that opens a file itself.
func sqliteDSN(file string, busy time.Duration, pragmas ...string) string {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
		"busy_timeout(" + itoa(int(busy.Milliseconds())) + ")", "synchronous(NORMAL)", "foreign_keys(1)",
	}, pragmas...)}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + query.Encode()
}

// deferredDSN is the same of somebody who leaves _txlock out.
func deferredDSN(t *testing.T, file string) string {
	t.Helper()
	dsn := sqliteDSN(file, time.Minute)
	deferred := strings.Replace(dsn, "_txlock=immediate", "_txlock=deferred", 1)
	require.NotEqual(t, dsn, deferred)
	return deferred
}

func connectorSQLite(tb backendtest.TB, p *place, _ *wire) driver.Connector {
	tb.Helper()
	connector, err := sqlitedriver.NewConnector(sqliteDSN(p.at, 3*time.Second, "journal_mode(WAL)"))
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return connector
}

// openTapped opens a file through connections that are watched.
func openTapped(tb testing.TB, file string) (*sqlx.DB, *sqlbackend.Store, *tap) {
	tb.Helper()
	return (&place{via: viaSQLite, at: file, table: defaultTable, conns: 8}).tapped(tb)
}
