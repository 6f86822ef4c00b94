package sqltest

import (
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend/backendtest"
	"github.com/idem-go/idem/drivers/mysql"
)

// mysqlVariable names a server: a mysql:// URL under which a database of the tests' own may be made and dropped.
const mysqlVariable = "IDEM_TEST_MYSQL"

var mariadb = &family{
	fresh: newTable,
	bind:  sqlx.QUESTION,
	zero:  `x'00'`,
	user:  "VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
	fill: filledBy(`INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note)
SELECT UNHEX(SHA2(CONCAT('{i}/', seq), 256)), UNHEX(MD5(seq)), REPEAT('f', 33), {row}, REPEAT('a', 128), '' FROM seq_1_to_{n}`),
	empty:   newDatabase,
	empties: "TRUNCATE ",
	address: mysqlURL,
	serves:  true,
	joins:   &sql.TxOptions{Isolation: sql.LevelReadCommitted},
}

var viaMySQL = &via{name: "mysql", family: mariadb, dialect: mysql.Dialect, open: mysql.Open, connector: connectorMySQL, migrations: "migrations/mysql"}

// ownDatabase is one that no other run has, where a test has a table. TestMain drops it.
var ownDatabase = sync.OnceValues(createDatabase)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // they wait for their servers more than they compute
	status := m.Run()
	if os.Getenv(mysqlVariable) != "" {
		address, err := ownDatabase()
		if err == nil {
			err = alterServer("DROP DATABASE " + databaseOf(address))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "sqltest:", err)
			status = max(status, 1)
		}
	}
	os.Exit(status)
}

func createDatabase() (address string, err error) {
	u, err := url.Parse(os.Getenv(mysqlVariable))
	if err != nil {
		return "", err
	}
	u.Path = "/idem_sqltest_" + lowerText()
	return u.String(), alterServer("CREATE DATABASE " + u.Path[1:])
}

func databaseOf(address string) string { return address[strings.LastIndex(address, "/")+1:] }

func alterServer(text string) error {
	db, err := adminMySQL(os.Getenv(mysqlVariable))
	if err != nil {
		return err
	}
	_, err = db.Exec(text)
	return errors.Join(err, db.Close())
}

// newDatabase makes a database of a test's own.
func newDatabase(tb testing.TB, v *via) *place {
	tb.Helper()
	skipWithoutMariaDB(tb)
	address, err := createDatabase()
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, alterServer("DROP DATABASE "+databaseOf(address))) })
	return &place{via: v, at: address, table: defaultTable}
}

func skipWithoutMariaDB(tb testing.TB) {
	tb.Helper()
	if os.Getenv(mysqlVariable) == "" {
		tb.Skipf("NOT TESTED: %s names no MariaDB server, as in mysql://user@127.0.0.1/db", mysqlVariable)
	}
}

func adminMySQL(address string) (*sql.DB, error) {
	c, err := configMySQL(address)
	if err != nil {
		return nil, err
	}
	connector, err := mysqldriver.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func configMySQL(address string) (*mysqldriver.Config, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	values := u.Query()
	if !values.Has("tx_isolation") {
		values.Set("tx_isolation", "'READ-COMMITTED'")
	}
	c, err := mysqldriver.ParseDSN("/?" + values.Encode())
	if err != nil {
		return nil, err
	}
	c.Net, c.Addr, c.DBName, c.User = "tcp", u.Host, u.Path[1:], u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Logger = &mysqldriver.NopLogger{}
	return c, nil
}

func lowerText() string { return strings.ToLower(rand.Text()[:10]) }

// newTable names a table that is not there yet.
func newTable(tb testing.TB, v *via) *place {
	tb.Helper()
	skipWithoutMariaDB(tb)
	address, err := ownDatabase()
	require.NoError(tb, err)
	return &place{via: v, at: address, table: "records_" + lowerText()}
}

func mysqlURL(p *place) string {
	u, err := url.Parse(p.at)
	if err != nil {
		panic(err)
	}
	query := u.Query()
	for name, value := range p.params {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func connectorMySQL(tb backendtest.TB, p *place, w *wire) driver.Connector {
	tb.Helper()
	c, err := configMySQL(mysqlURL(p))
	if err != nil {
		tb.Fatalf("%v", err)
	}
	c.DialFunc = w.dial
	connector, err := mysqldriver.NewConnector(c)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return connector
}
