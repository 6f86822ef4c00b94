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
func Open(ctx context.Context, file string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
	s := newSettings()
	opening, _, err := opener(s).Prepare("", opts)
	if err != nil {
		return nil, nil, err
	}
	return s.open(ctx, file, opening)
}

func opener(s *settings) sqlbackend.Driver {
	return sqlbackend.Driver{Name: "sqlite", Dialect: Dialect(), Conns: 8, Settings: s, Parameters: parameters}
}

func (s *settings) open(ctx context.Context, file string, opening *sqlbackend.Opening) (*sqlx.DB, *sqlbackend.Store, error) {
	dsn, err := s.dsn(file)
	if err != nil {
		return nil, nil, fmt.Errorf("sqlite: %w", err)
	}
	db, err := openWAL(ctx, dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("sqlite: open %s: %w", filepath.Base(file), err)
	}
	store, err := opening.Start(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("sqlite: open %s: %w", filepath.Base(file), err)
	}
	return db, store, nil
}

func openWAL(ctx context.Context, dsn string) (*sqlx.DB, error) {
	db, err := sqlx.Open(driverName, dsn)
	if err != nil {
		return nil, err
	}
	if err := useWAL(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
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
func (s *settings) dsn(file string) (string, error) {
	switch {
	case file == "" || strings.EqualFold(file, ":memory:"):
		return "", errors.New("a database in memory cannot keep records: name a file (backend/memtest is the store for tests)")
	case strings.HasPrefix(file, "file:"):
		return "", errors.New("give the plain name of the file, not a URI")
	case strings.ContainsRune(file, 0):
		return "", errors.New("the name of the file contains a NUL")
	}
	name := filepath.ToSlash(filepath.Clean(file))
	if filepath.VolumeName(file) != "" {
		name = "/" + name
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(s.busyTimeout.Milliseconds(), 10) + ")",
		"synchronous(" + s.synchronous + ")",
		"foreign_keys(1)",
	}}
	return "file:" + (&url.URL{Path: name}).EscapedPath() + "?" + query.Encode(), nil
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
