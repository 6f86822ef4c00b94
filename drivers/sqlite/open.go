package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// driverName is the one under which modernc.org/sqlite registers itself.
const driverName = "sqlite"

// Open opens the file, which is created where there is none, brings idem's table in it up to date and returns the
// database and the store in it. Closing the database ends both. file is a plain file name, in which no character has a
// meaning of its own; a database in memory is refused.
//
// Every connection has journal mode WAL, synchronous FULL, a busy timeout and foreign keys on, and its transactions
// take the write lock when they begin: one that waits for it does so before it has read anything.
func Open(ctx context.Context, file string, opts ...Option) (*sqlx.DB, *sqlbackend.Store, error) {
	c := config{synchronous: "FULL", busyTimeout: 3 * time.Second, conns: 8}
	for i, o := range opts {
		if o == nil {
			return nil, nil, fmt.Errorf("sqlite: option %d of Open is nil", i+1)
		}
		if err := o.apply(&c); err != nil {
			return nil, nil, err
		}
	}
	dsn, err := c.dsn(file)
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlx.Open(driverName, dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("sqlite: open %s: %w", filepath.Base(file), err)
	}
	db.SetMaxOpenConns(c.conns)
	db.SetMaxIdleConns(c.conns) // an idle connection keeps its prepared statements
	store, err := c.start(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", filepath.Base(file), err), db.Close())
	}
	return db, store, nil
}

// Dialect is sqlbackend's SQLite with the error codes of modernc.org/sqlite, for an application that opens the file
// itself.
func Dialect() sqlbackend.Dialect { return sqlbackend.SQLite(errorCode) }

func errorCode(err error) (int, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// dsn is the URI of https://www.sqlite.org/uri.html, with the driver's own parameters.
func (c *config) dsn(file string) (string, error) {
	switch {
	case file == "" || strings.EqualFold(file, ":memory:"):
		return "", errors.New("sqlite: a database in memory cannot keep records: name a file (backend/memtest is the store for tests)")
	case strings.HasPrefix(file, "file:"):
		return "", errors.New("sqlite: give the plain name of the file, not a URI")
	case strings.ContainsRune(file, 0):
		return "", errors.New("sqlite: the name of the file contains a NUL")
	}
	name := filepath.ToSlash(filepath.Clean(file))
	if filepath.VolumeName(file) != "" {
		name = "/" + name
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(c.busyTimeout.Milliseconds(), 10) + ")",
		"synchronous(" + c.synchronous + ")",
		"foreign_keys(1)",
	}}
	return "file:" + (&url.URL{Path: name}).EscapedPath() + "?" + query.Encode(), nil
}

// start makes the file ready and opens the store in it.
func (c *config) start(ctx context.Context, db *sqlx.DB) (*sqlbackend.Store, error) {
	if err := useWAL(ctx, db); err != nil {
		return nil, err
	}
	if err := sqlbackend.Migrate(ctx, db, Dialect(), c.migrate...); err != nil {
		return nil, err
	}
	return sqlbackend.New(ctx, db, Dialect(), c.store...)
}

// useWAL sets the file's journal mode, which stays with it. It needs the file for itself for a moment, and SQLite does
// not always wait for that under busy_timeout.
func useWAL(ctx context.Context, db *sqlx.DB) error {
	for {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		if err == nil && !strings.EqualFold(mode, "wal") {
			return fmt.Errorf("the journal mode stays %s: WAL needs a file system with shared memory", mode)
		}
		if code, ok := errorCode(err); err == nil || !ok || code&0xff != 5 { // SQLITE_BUSY
			return err
		}
		select {
		case <-time.After(time.Millisecond + rand.N(20*time.Millisecond)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
