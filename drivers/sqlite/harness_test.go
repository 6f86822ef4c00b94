package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
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

// advance moves every time in the table back, which is all that a clock going forward does to a record.
func advance(tb backendtest.TB, db *sqlx.DB, d time.Duration) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), `UPDATE idem_records SET since = since - ?1, lease_until = lease_until - ?1, expires_at = expires_at - ?1`, d.Milliseconds())
	if err != nil {
		tb.Fatalf("advance: %v", err)
	}
}

// tapped is a connector whose connections tell when they commit.
type tapped struct {
	driver.Connector
	before atomic.Pointer[func()]                // called once, before the next COMMIT
	commit atomic.Pointer[func(driver.Tx) error] // in place of the next COMMIT
	exec   atomic.Pointer[func()]                // called once, before the next prepared statement that writes
}

func (c *tapped) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &tappedConn{sqliteConn: conn.(sqliteConn), on: c}, nil
}

// sqliteConn are the interfaces of the driver's connection that database/sql asks for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type tappedConn struct {
	sqliteConn
	on *tapped
}

func (c *tappedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	return tappedTx{tx, c.on}, err
}

func (c *tappedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	s, err := c.sqliteConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &tappedStmt{sqliteStmt: s.(sqliteStmt), on: c.on}, nil
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type tappedStmt struct {
	sqliteStmt
	on *tapped
}

func (s *tappedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if exec := s.on.exec.Swap(nil); exec != nil {
		(*exec)()
	}
	return s.sqliteStmt.ExecContext(ctx, args)
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

// openTapped opens file as Open does, through connections that can be tapped.
func openTapped(tb backendtest.TB, file string) (*sqlx.DB, *sqlbackend.Store, *tapped) {
	tb.Helper()
	s := settings{synchronous: "NORMAL", busyTimeout: 3 * time.Second}
	dsn, err := s.dsn(file)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tap := &tapped{Connector: connector}
	db := sqlx.NewDb(sql.OpenDB(tap), driverName)
	tb.Cleanup(func() { _ = db.Close() })
	if err := useWAL(tb.Context(), db); err != nil {
		tb.Fatalf("%v", err)
	}
	opening, _, err := opener(&s).Prepare("", nil)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	store, err := opening.Start(tb.Context(), db)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return db, store, tap
}

func txHarness(t *testing.T) backendtest.TxHarness[*sqlx.Tx] {
	file := newFile(t)
	own, _ := openFile(t, file)
	_, err := own.ExecContext(t.Context(), `CREATE TABLE effects (n INTEGER)`)
	require.NoError(t, err)
	var taps []*tapped
	return backendtest.TxHarness[*sqlx.Tx]{
		Harness: backendtest.Harness{
			Open: func(tb backendtest.TB) backend.Store {
				_, store, tap := openTapped(tb, file)
				taps = append(taps, tap)
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
		OneWriter: true,
		BeforeCommit: func(_ backendtest.TB, do func()) {
			for _, tap := range taps {
				tap.before.Store(&do)
			}
		},
	}
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(t *testing.T) backendtest.Harness {
		t.Parallel()
		return txHarness(t).Harness
	})
}

func TestTransactorKeepsTheContract(t *testing.T) {
	t.Parallel()
	backendtest.RunTransactor(t, func(t *testing.T) backendtest.TxHarness[*sqlx.Tx] {
		t.Parallel()
		return txHarness(t)
	})
}
