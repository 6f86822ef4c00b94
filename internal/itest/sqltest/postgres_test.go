package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pgxdriver "github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	libpq "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend/backendtest"
	"github.com/idem-go/idem/drivers/pgx"
	"github.com/idem-go/idem/drivers/pq"
)

// postgresVariable names a server, and a database in it where schemas may be made and dropped.
const postgresVariable = "IDEM_TEST_POSTGRES"

var postgres = &family{
	fresh: newSchema,
	bind:  sqlx.DOLLAR,
	zero:  `'\x00'::bytea`,
	user:  "text",
	fill: func(n int) []string {
		return []string{strings.ReplaceAll(`INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note)
SELECT sha256((random()::text || i || k.state || k.lease || k.expiry)::bytea), decode(repeat('00', 16), 'hex'), decode(repeat('00', 33), 'hex'),
k.state, k.hold, k.attempt, k.since, k.lease, k.expiry, decode(repeat('00', 128), 'hex'), ''
FROM generate_series(1, {n}) AS i, (VALUES (`+strings.Join(filled, "), (")+`)) AS k (state, hold, attempt, since, lease, expiry)
ORDER BY i`, "{n}", itoa(n))}
	},
	empty:   newSchema,
	empties: "TRUNCATE ",
	address: postgresURL,
	serves:  true,
	joins:   &sql.TxOptions{Isolation: sql.LevelReadCommitted},
}

var (
	viaPGX = &via{
		name: "pgx", family: postgres, dialect: pgx.Dialect, open: pgx.Open, connector: connectorPGX, migrations: "migrations/postgres",
		listening: listening{on: pgx.ListenOn, without: pgx.WithoutListen, newListener: pgx.NewListener},
	}
	viaPQ = &via{
		name: "postgres", family: postgres, dialect: pq.Dialect, open: pq.Open, connector: connectorPQ, migrations: "migrations/postgres",
		listening: listening{on: pq.ListenOn, without: pq.WithoutListen, newListener: pq.NewListener},
	}
)

// postgresURL is the server's, with the place's schema and parameters.
func postgresURL(p *place) string {
	u, err := url.Parse(p.at)
	if err != nil {
		panic(err)
	}
	query := u.Query()
	for name, value := range p.params {
		query.Set(name, value)
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // lib/pq and pgx take + for itself
	return u.String()
}

var schemas atomic.Int64

// adminPostgres is the pool through which schemas are made and dropped. It ends with the process.
var adminPostgres = sync.OnceValues(func() (*sqlx.DB, error) { return sqlx.Open("pgx", os.Getenv(postgresVariable)) })

// newSchema makes a schema, which goes with the test.
func newSchema(tb testing.TB, v *via) *place {
	tb.Helper()
	server := os.Getenv(postgresVariable)
	if server == "" {
		tb.Skipf("NOT TESTED: %s names no PostgreSQL server, as in postgres://user@127.0.0.1/db", postgresVariable)
	}
	db, err := adminPostgres()
	require.NoError(tb, err)
	name := fmt.Sprintf("idem_sqltest_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = db.ExecContext(tb.Context(), `CREATE SCHEMA `+name)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := db.ExecContext(ctx, `DROP SCHEMA `+name+` CASCADE`)
		require.NoError(tb, err)
	})
	p := &place{via: v, at: server, table: defaultTable}
	return p.with("search_path", name)
}

func connectorPGX(tb backendtest.TB, p *place, w *wire) driver.Connector {
	tb.Helper()
	parsed, err := pgxdriver.ParseConfig(postgresURL(p))
	if err != nil {
		tb.Fatalf("%v", err)
	}
	parsed.DialFunc = w.dial
	return stdlib.GetConnector(*parsed)
}

func connectorPQ(tb backendtest.TB, p *place, w *wire) driver.Connector {
	tb.Helper()
	connector, err := libpq.NewConnector(postgresURL(p))
	if err != nil {
		tb.Fatalf("%v", err)
	}
	connector.Dialer(w)
	return connector
}
