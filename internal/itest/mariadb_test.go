package itest

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

	_ "github.com/idem-go/idem/drivers/mysql"
)

var mariadbSystem = system{
	name:      "mariadb",
	transacts: true,
	blind:     true,
	flushes:   true,
	fresh:     freshMariaDB,
	open: func(ctx context.Context, at string) (*site, error) {
		return openServer(ctx, at, func() (*sqlx.DB, error) { return besideMariaDB(at) }, sqlx.QUESTION)
	},
	hasty: func(at string, _ time.Duration) string { return at }, // a duplicate is told at once, nothing waits
	watch: watchMariaDB,
}

// besideMariaDB opens the database that a URL names past idem.
func besideMariaDB(at string) (*sqlx.DB, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", u.Host, u.Path[1:]
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	return sqlx.Open("mysql", c.FormatDSN())
}

// freshName is a name for a database of one test's own.
func freshName() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return "idem_" + hex.EncodeToString(b[:])
}

// freshMariaDB makes a database on the server that IDEM_TEST_MYSQL names, and drops it when the test ends.
func freshMariaDB(t *testing.T) string {
	t.Helper()
	server := os.Getenv("IDEM_TEST_MYSQL")
	if server == "" {
		t.Skip("IDEM_TEST_MYSQL names no server; ./test starts one")
	}
	return freshOnMariaDB(t, server)
}

// freshOnMariaDB is freshMariaDB on another server.
func freshOnMariaDB(t *testing.T, server string) string {
	t.Helper()
	at, err := url.Parse(server)
	require.NoError(t, err)
	at.Path = "/"
	admin, err := besideMariaDB(at.String())
	require.NoError(t, err)
	name := freshName()
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), "DROP DATABASE "+name)
		require.NoError(t, errors.Join(err, admin.Close()))
	})
	at.Path = "/" + name
	return at.String()
}

// watchMariaDB looks at the contents of every table.
func watchMariaDB(t *testing.T, at string) func() string {
	t.Helper()
	db, err := besideMariaDB(at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return func() string {
		var sums []struct {
			Table    string `db:"Table"`
			Checksum int64  `db:"Checksum"`
		}
		require.NoError(t, db.SelectContext(t.Context(), &sums, "CHECKSUM TABLE idem_records, effects"))
		return fmt.Sprint(sums)
	}
}
