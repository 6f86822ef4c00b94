package histories

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	mysqldriver "github.com/idem-go/idem/drivers/mysql"
	pgxdriver "github.com/idem-go/idem/drivers/pgx"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// database is a SQL server that IDEM_TEST_… names.
type database struct {
	variable string
	protocol proxy.Protocol
	drop     string // what ends a database, but for its name
	open     func(ctx context.Context, at string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error)
	beside   func(at string) (*sqlx.DB, error) // past idem
}

var postgres = database{
	variable: "IDEM_TEST_POSTGRES", protocol: proxy.Postgres, drop: "DROP DATABASE %s WITH (FORCE)",
	open: func(ctx context.Context, at string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
		return pgxdriver.Open(ctx, at, append(opts, pgxdriver.WithoutListen())...)
	},
	beside: func(at string) (*sqlx.DB, error) { return sqlx.Open("pgx", at) },
}

var mariadb = database{
	variable: "IDEM_TEST_MYSQL", protocol: proxy.MySQL, drop: "DROP DATABASE %s", open: mysqldriver.Open,
	beside: func(at string) (*sqlx.DB, error) {
		u, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		c := mysql.NewConfig()
		c.Net, c.Addr, c.DBName = "tcp", u.Host, u.Path[1:]
		c.User = u.User.Username()
		c.Passwd, _ = u.User.Password()
		return sqlx.Open("mysql", c.FormatDSN())
	},
}

// fresh makes a database of the test's own.
func (d database) fresh(t *testing.T) *url.URL {
	t.Helper()
	server := os.Getenv(d.variable)
	if server == "" {
		t.Skipf("NOT TESTED: %s names no server; ./test starts one", d.variable)
	}
	admin, err := d.beside(server)
	require.NoError(t, err)
	var random [6]byte
	_, _ = rand.Read(random[:])
	name := "idem_histories_" + hex.EncodeToString(random[:])
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), fmt.Sprintf(d.drop, name))
		require.NoError(t, errors.Join(err, admin.Close()))
	})
	at, err := url.Parse(server)
	require.NoError(t, err)
	at.Path = "/" + name
	return at
}

// place is a table for a lane.
func (d database) place(t *testing.T, at *url.URL, table string) place {
	t.Helper()
	db, _, err := d.open(t.Context(), at.String(), sqlbackend.Table(table), sqlbackend.Conns(2))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	times := timesOf(t, db, table)
	return place{
		server: at.Host, protocol: d.protocol, pass: times.pass, remove: times.remove,
		reach: func(t *testing.T, through string) store {
			there := *at
			there.Host = through
			db, s, err := d.open(t.Context(), there.String(), sqlbackend.Table(table), sqlbackend.Conns(1), sqlbackend.WithoutMigrate())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return s
		},
	}
}

// times are those of the records in a table.
type times struct{ back, away *sqlx.Stmt }

func timesOf(t *testing.T, db *sqlx.DB, table string) times {
	t.Helper()
	prepare := func(text string) *sqlx.Stmt {
		st, err := db.PreparexContext(t.Context(), db.Rebind(fmt.Sprintf(text, table)))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		return st
	}
	return times{
		back: prepare(`UPDATE %s SET since = since - ?, lease_until = lease_until - ?,
expires_at = CASE WHEN expires_at = 9223372036854775807 THEN expires_at ELSE expires_at - ? END WHERE id = ?`),
		away: prepare(`DELETE FROM %s WHERE id = ?`),
	}
}

// pass moves every time of records back, which is all that a clock going forward does to them.
func (m times) pass(ctx context.Context, ids []backend.ID, d time.Duration) (err error) {
	ms := d.Milliseconds()
	for _, id := range ids {
		_, more := m.back.ExecContext(ctx, ms, ms, ms, id[:])
		err = errors.Join(err, more)
	}
	return err
}

func (m times) remove(ctx context.Context, ids []backend.ID) (err error) {
	for _, id := range ids {
		_, more := m.away.ExecContext(ctx, id[:])
		err = errors.Join(err, more)
	}
	return err
}

// lanes of a server are so many that its two cores have always something to do.
const lanes = 3

// onServer checks histories on a SQL server.
func (d database) onServer(t *testing.T, name string) {
	t.Helper()
	at := d.fresh(t)
	eachHistory(t, name, 2_000, lanes, func(t *testing.T, i int, n *count) func(*plan) *history {
		return openLane(t, d.place(t, at, fmt.Sprint("lane_", i)), n).play
	}, onNetwork)
}

func TestHistoriesOnPostgres(t *testing.T) {
	t.Parallel()
	postgres.onServer(t, "PostgreSQL")
}

func TestHistoriesOnMariaDB(t *testing.T) {
	t.Parallel()
	mariadb.onServer(t, "MariaDB")
}
