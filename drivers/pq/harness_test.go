package pq

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
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
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // lib/pq and pgx take + for itself
	return u.String()
}

// newSchema makes a schema, which goes with the test.
func newSchema(tb testing.TB) string {
	tb.Helper()
	db, err := sqlx.Open("postgres", server(tb))
	require.NoError(tb, err)
	name := fmt.Sprintf("idem_pq_%d_%d", os.Getpid(), schemas.Add(1))
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

// openIn opens a store whose table is in the schema, which is also the connections' search path.
func openIn(tb backendtest.TB, schema, dsn string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store) {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // lib/pq and pgx take + for itself
	db, store, err := Open(tb.Context(), u.String(), opts...)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db, store
}

// open opens a store in a schema of its own.
func open(tb testing.TB, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store) {
	tb.Helper()
	return openIn(tb, newSchema(tb), server(tb), opts...)
}

// advance moves every time in the table back, which is all that a clock going forward does to a record.
func advance(tb backendtest.TB, db *sqlx.DB, d time.Duration) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), `UPDATE idem_records SET since = since - $1, lease_until = lease_until - $1,
expires_at = CASE WHEN expires_at = 9223372036854775807 THEN expires_at ELSE expires_at - $1 END`, d.Milliseconds())
	if err != nil {
		tb.Fatalf("advance: %v", err)
	}
}

// wire is what happens between a pool and the server.
type wire struct {
	trips  atomic.Int64            // requests that were followed by an answer
	before atomic.Pointer[func()]  // called once, before the next COMMIT is sent
	commit atomic.Pointer[lostAck] // what happens to the next COMMIT
}

type lostAck int

const (
	cutBefore lostAck = iota // it is never sent
	cutAfter                 // it is sent and carried out, and the answer is lost
)

// Dial is pq.Dialer's.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	return w.DialTimeout(network, address, 0)
}

// DialTimeout is pq.Dialer's.
func (w *wire) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return nil, err
	}
	return &wiredConn{Conn: conn, on: w}, nil
}

type wiredConn struct {
	net.Conn
	on      *wire
	written atomic.Bool
	lose    atomic.Bool
}

func (c *wiredConn) Write(b []byte) (int, error) {
	c.written.Store(true)
	if strings.Contains(string(b), "COMMIT\x00") {
		if before := c.on.before.Swap(nil); before != nil {
			(*before)()
		}
		if how := c.on.commit.Swap(nil); how != nil {
			if *how == cutBefore {
				_ = c.Conn.Close()
				return len(b), nil
			}
			c.lose.Store(true)
		}
	}
	return c.Conn.Write(b)
}

func (c *wiredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.written.Swap(false) {
		c.on.trips.Add(1)
	}
	if n > 0 && c.lose.Load() {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// openWired opens a store whose connections are watched.
func openWired(tb backendtest.TB, schema, dsn string, conns int) (*sqlx.DB, *sqlbackend.Store, *wire) {
	tb.Helper()
	connector, err := pq.NewConnector(dsn + "&search_path=" + schema)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	w := &wire{}
	connector.Dialer(w)
	opening, _, err := opener.Prepare("", []sqlbackend.OpenOption{sqlbackend.Conns(conns)})
	if err != nil {
		tb.Fatalf("%v", err)
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	store, err := opening.Start(tb.Context(), db)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db, store, w
}

func txHarness(t *testing.T, conns int) backendtest.TxHarness[*sqlx.Tx] {
	schema, dsn := newSchema(t), server(t)
	own, _ := openIn(t, schema, dsn)
	own.MustExecContext(t.Context(), `CREATE TABLE effects (n integer)`)
	var wires []*wire
	return backendtest.TxHarness[*sqlx.Tx]{
		Harness: backendtest.Harness{
			Open: func(tb backendtest.TB) backend.Store {
				_, store, w := openWired(tb, schema, dsn, conns)
				wires = append(wires, w)
				return store
			},
			Advance: func(tb backendtest.TB, d time.Duration) { advance(tb, own, d) },
		},
		Effect: func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO effects VALUES (1)`)
			return err
		},
		Effects: func(tb backendtest.TB) (n int) {
			if err := own.GetContext(tb.Context(), &n, `SELECT count(*) FROM effects`); err != nil {
				tb.Fatalf("count the effects: %v", err)
			}
			return n
		},
		Begin: func(tb backendtest.TB) backendtest.Transaction[*sqlx.Tx] {
			tx, err := own.BeginTxx(tb.Context(), nil)
			if err != nil {
				tb.Fatalf("begin: %v", err)
			}
			return backendtest.Transaction[*sqlx.Tx]{Tx: tx, Commit: tx.Commit, Rollback: tx.Rollback}
		},
		BeforeCommit: func(_ backendtest.TB, do func()) {
			for _, w := range wires {
				w.before.Store(&do)
			}
		},
	}
}

var poolSizes = []int{1, 2, 20}

func TestStoreKeepsTheContract(t *testing.T) {
	for _, conns := range poolSizes {
		t.Run(fmt.Sprintf("with a pool of %d", conns), func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backendtest.Harness {
				t.Parallel()
				return txHarness(t, conns).Harness
			})
		})
	}
}

func TestTransactorKeepsTheContract(t *testing.T) {
	for _, conns := range poolSizes {
		t.Run(fmt.Sprintf("with a pool of %d", conns), func(t *testing.T) {
			backendtest.RunTransactor(t, func(t *testing.T) backendtest.TxHarness[*sqlx.Tx] {
				t.Parallel()
				return txHarness(t, conns)
			})
		})
	}
}
