package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// serverVariable names the server: a mysql:// URL under which a database of the tests' own may be made and dropped.
const serverVariable = "IDEM_TEST_MYSQL"

// database is the address of this run's own database, "" where there is no server.
var database string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run makes a database that no other run has, and drops it in the end.
func run(m *testing.M) int {
	server := os.Getenv(serverVariable)
	if server == "" {
		return m.Run()
	}
	dsn, err := parseURL(server)
	if err == nil {
		var connector driver.Connector
		if connector, err = mysql.NewConnector(dsn); err == nil {
			db := sql.OpenDB(connector)
			defer db.Close()
			name := "idem_test_" + random()
			if _, err = db.Exec("CREATE DATABASE " + name); err == nil {
				defer db.Exec("DROP DATABASE " + name)
				u, _ := url.Parse(server)
				u.Path = "/" + name
				database = u.String()
				return m.Run()
			}
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", serverVariable, err)
	return 1
}

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// storage is a fresh table of records, and one of effects beside it.
type storage struct {
	table   string
	params  string // of the connections' URL
	conns   int
	migrate []sqlbackend.MigrateOption
	options []sqlbackend.Option
	mysql8  bool // the server passes for a MySQL
}

func fresh(tb testing.TB) *storage {
	tb.Helper()
	if database == "" {
		tb.Skipf("SKIPPED, NOTHING WAS TESTED: %s names no MariaDB server", serverVariable)
	}
	return &storage{table: "t_" + random(), conns: 4, mysql8: strings.HasPrefix(tb.Name(), disguisedTests)}
}

func (s *storage) address() string {
	u, _ := url.Parse(database)
	q := u.Query()
	extra, _ := url.ParseQuery(s.params)
	for name, all := range extra {
		q[name] = all
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// pool opens the database as an application might that knows nothing of Open.
func (s *storage) pool(tb backendtest.TB, tap *tapped) *sqlx.DB {
	tb.Helper()
	_, address, err := opener.Prepare(s.address(), nil)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	cfg, err := parseURL(address)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	cfg.DialFunc, tap.mysql8 = tap.dial, s.mysql8
	if _, set := cfg.Params["innodb_lock_wait_timeout"]; s.mysql8 && !set {
		cfg.Params["innodb_lock_wait_timeout"] = "1"
	}
	if tap.Connector, err = mysql.NewConnector(cfg); err != nil {
		tb.Fatalf("%v", err)
	}
	db := sqlx.NewDb(sql.OpenDB(tap), "wrapped")
	db.SetMaxOpenConns(s.conns)
	db.SetMaxIdleConns(s.conns)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func (s *storage) openTapped(tb backendtest.TB) (*sqlx.DB, *sqlbackend.Store, *tapped) {
	tb.Helper()
	tap := &tapped{}
	db := s.pool(tb, tap)
	if err := sqlbackend.Migrate(tb.Context(), db, Dialect(), s.migrateOptions()...); err != nil {
		tb.Fatalf("%v", err)
	}
	store, err := sqlbackend.New(tb.Context(), db, Dialect(), s.newOptions()...)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return db, store, tap
}

func (s *storage) open(tb backendtest.TB) (*sqlx.DB, *sqlbackend.Store) {
	tb.Helper()
	db, store, _ := s.openTapped(tb)
	return db, store
}

// sql writes the table's name for {t}.
func (s *storage) sql(text string) string { return strings.ReplaceAll(text, "{t}", s.table) }

func (s *storage) run(tb testing.TB, db *sqlx.DB, text string, args ...any) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), s.sql(text), args...)
	require.NoError(tb, err)
}

func (s *storage) count(tb testing.TB, db *sqlx.DB, where string) (n int) {
	tb.Helper()
	require.NoError(tb, db.GetContext(tb.Context(), &n, s.sql(`SELECT COUNT(*) FROM {t} WHERE `+where)))
	return n
}

// advance moves every time in the table back, which is all that a clock going forward does to a record.
func (s *storage) advance(tb backendtest.TB, db *sqlx.DB, d time.Duration) {
	tb.Helper()
	ms := d.Milliseconds()
	_, err := db.ExecContext(tb.Context(), s.sql(`UPDATE {t} SET since = since - ?, lease_until = lease_until - ?, expires_at = expires_at - ?`), ms, ms, ms)
	if err != nil {
		tb.Fatalf("advance: %v", err)
	}
}

// tapped is a connector whose connections tell what is sent and when they commit.
type tapped struct {
	driver.Connector
	mysql8 bool
	trips  atomic.Int64                          // requests that were answered
	before atomic.Pointer[func()]                // called once, before the next COMMIT
	commit atomic.Pointer[func(driver.Tx) error] // in place of the next COMMIT
	insert atomic.Pointer[func()]                // called once, before the next INSERT, where the server passes for a MySQL
}

func (t *tapped) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn, on: t}, nil
}

// countedConn counts how often the direction turns: what is written at once is one request.
type countedConn struct {
	net.Conn
	on   *tapped
	sent atomic.Bool
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.sent.Store(true)
	return c.Conn.Write(b)
}

func (c *countedConn) Read(b []byte) (int, error) {
	if c.sent.Swap(false) {
		c.on.trips.Add(1)
	}
	return c.Conn.Read(b)
}

func (t *tapped) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := t.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner := conn.(mysqlConn)
	if t.mysql8 {
		inner = disguised{inner, t}
	}
	return &tappedConn{mysqlConn: inner, on: t}, nil
}

// mysqlConn are the interfaces of the driver's connection that database/sql asks for.
type mysqlConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type tappedConn struct {
	mysqlConn
	on *tapped
}

func (c *tappedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.mysqlConn.BeginTx(ctx, opts)
	return tappedTx{tx, c.on}, err
}

type tappedTx struct {
	driver.Tx
	on *tapped
}

func (t tappedTx) Commit() error {
	if before := t.on.before.Swap(nil); before != nil {
		(*before)()
	}
	if commit := t.on.commit.Swap(nil); commit != nil {
		return (*commit)(t.Tx)
	}
	return t.Tx.Commit()
}

func (s *storage) harness(tb testing.TB) backendtest.TxHarness[*sqlx.Tx] {
	tb.Helper()
	own := s.pool(tb, &tapped{})
	own.SetMaxOpenConns(0)
	s.run(tb, own, `CREATE TABLE {t}_effects (n INTEGER)`)
	var taps []*tapped
	return backendtest.TxHarness[*sqlx.Tx]{
		Harness: backendtest.Harness{
			Open: func(tb backendtest.TB) backend.Store {
				_, store, tap := s.openTapped(tb)
				taps = append(taps, tap)
				return store
			},
			Advance: func(tb backendtest.TB, d time.Duration) { s.advance(tb, own, d) },
		},
		Effect: func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, s.sql(`INSERT INTO {t}_effects VALUES (1)`))
			return err
		},
		Effects: func(tb backendtest.TB) (n int) {
			if err := own.GetContext(tb.Context(), &n, s.sql(`SELECT COUNT(*) FROM {t}_effects`)); err != nil {
				tb.Fatalf("count the effects: %v", err)
			}
			return n
		},
		Begin: func(tb backendtest.TB) backendtest.Transaction[*sqlx.Tx] {
			tx, err := own.BeginTxx(tb.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
			if err != nil {
				tb.Fatalf("begin: %v", err)
			}
			return backendtest.Transaction[*sqlx.Tx]{Tx: tx, Commit: tx.Commit, Rollback: tx.Rollback}
		},
		BeforeCommit: func(_ backendtest.TB, do func()) {
			for _, tap := range taps {
				tap.before.Store(&do)
			}
		},
	}
}

type setup struct {
	conns  int
	params url.Values
}

// setups are what a data source name may have; the suite must not notice.
var setups = map[string]setup{
	"a pool of 1":                {1, nil},
	"a pool of 2":                {2, nil},
	"a pool of 20":               {20, nil},
	"found rows are counted":     {4, url.Values{"clientFoundRows": {"true"}}},
	"no sql_mode":                {4, url.Values{"sql_mode": {"''"}}},
	"simultaneous assignments":   {4, url.Values{"sql_mode": {"'SIMULTANEOUS_ASSIGNMENT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"}}},
	"another time zone":          {4, url.Values{"time_zone": {"'-08:00'"}, "parseTime": {"true"}}},
	"interpolated parameters":    {4, url.Values{"interpolateParams": {"true"}}},
	"repeatable read everywhere": {4, url.Values{"tx_isolation": {"'REPEATABLE-READ'"}}},
	"serializable everywhere":    {4, url.Values{"tx_isolation": {"'SERIALIZABLE'"}}},
}

func everySetup(t *testing.T, f func(*testing.T, func(*testing.T) *storage)) {
	all := setups
	if strings.HasPrefix(t.Name(), disguisedTests) {
		all = disguisedSetups
	}
	for name, setup := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, func(t *testing.T) *storage {
				t.Parallel()
				s := fresh(t)
				s.conns, s.params = setup.conns, setup.params.Encode()
				return s
			})
		})
	}
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	everySetup(t, func(t *testing.T, storage func(*testing.T) *storage) {
		backendtest.Run(t, func(t *testing.T) backendtest.Harness { return storage(t).harness(t).Harness })
	})
}

func TestTransactorKeepsTheContract(t *testing.T) {
	t.Parallel()
	everySetup(t, func(t *testing.T, storage func(*testing.T) *storage) {
		backendtest.RunTransactor(t, func(t *testing.T) backendtest.TxHarness[*sqlx.Tx] { return storage(t).harness(t) })
	})
}
