package sqlbackend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// ErrorCode reads SQLite's result code out of a driver's error, which may be wrapped: the extended code where the
// driver has it. ok is false for errors that are not SQLite's.
type ErrorCode func(err error) (code int, ok bool)

// SQLite returns the dialect of SQLite 3.42 or later. code tells the errors of the driver in use:
//
//	func(err error) (int, bool) { // modernc.org/sqlite
//		var e *sqlite.Error
//		if !errors.As(err, &e) {
//			return 0, false
//		}
//		return e.Code(), true
//	}
//
// With github.com/mattn/go-sqlite3 it is the ExtendedCode field of an Error, with github.com/ncruces/go-sqlite3 the
// ExtendedCode method of an *Error.
//
// SQLite has one writer. A Store lets its own writers in one at a time, in the order in which they came, and never
// waits for that to read: a replay needs no lock. A write that meets another process's, or another pool's, waits for
// the connection's busy_timeout and then fails. Any data source name will do that sets a busy_timeout on every
// connection, but not one that keeps the database in memory; drivers/sqlite opens one with everything set.
func SQLite(code ErrorCode) Dialect { return sqliteDialect{code} }

type sqliteDialect struct{ code ErrorCode }

func (d sqliteDialect) valid() error {
	if d.code == nil {
		return errors.New("sqlbackend: SQLite needs the function that reads the driver's error codes")
	}
	return nil
}

// sqliteNow is exact: unixepoch gives whole milliseconds as a fraction of seconds.
const sqliteNow = `CAST(unixepoch('subsec') * 1000 + 0.5 AS INTEGER)`

func (sqliteDialect) words() words {
	return words{
		migrations: "migrations/sqlite",
		quote:      `"`,
		bind:       sqlx.QUESTION,
		now:        sqliteNow,
		within:     withinRows,
	}
}

func (sqliteDialect) defaults(c *config) {
	c.step, c.pause = 200, time.Millisecond
}

// usable refuses a database in memory, which is another one for every connection or is gone with the last of them.
func (d sqliteDialect) usable(ctx context.Context, db *sqlx.DB, t table) error {
	var file string
	err := db.QueryRowContext(ctx, `SELECT coalesce(file, '') FROM pragma_database_list WHERE lower(name) = lower(?)`, t.schemaOr("main")).Scan(&file)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("sqlbackend: option Table: there is no schema %s: on SQLite it is main, or a database that every connection has attached", t.schema)
	}
	if err != nil {
		return failure(ctx, "ask for the database's file", err, d.classify)
	}
	if file == "" {
		return fmt.Errorf("sqlbackend: the database of table %s is in memory or temporary, so each connection of the pool may have one of its own, "+
			"and all records end with the process: open a file (backend/memtest is the store for tests)", t)
	}
	var millis bool
	if err := db.QueryRowContext(ctx, `SELECT unixepoch('subsec') IS NOT NULL`).Scan(&millis); err != nil || !millis {
		return errors.Join(errors.New("sqlbackend: SQLite 3.42 or later is needed, for unixepoch('subsec')"), err)
	}
	return nil
}

func (d sqliteDialect) engine(s *Store) engine {
	bound := &query{text: d.words().fill(s.config.table, boundOfRows)}
	return &sqliteEngine{sqliteDialect: d, store: s, writer: newWriter(), running: newRunning(), bound: bound}
}

// sqliteEngine looks before it writes, so that what is only read never waits for the writer.
type sqliteEngine struct {
	sqliteDialect
	store   *Store
	writer  *writer
	running *running
	bound   *query       // a walk's step
	shared  *sqliteGroup // nil: every call writes by itself
}

// rounds is how often a claim looks again after it lost a race. Each lost round is another's success.
const rounds = 10

var errRounds = fmt.Errorf("the record changed %d times between a look and the write", rounds)

func (e *sqliteEngine) begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	for round := range rounds {
		seen, err := e.store.records.look(ctx, e.store.pool, c.ID)
		if err != nil {
			return backend.Grant{}, err
		}
		m, g := decide(seen, &c)
		if m == stay {
			return g, nil
		}
		if g, taken := e.running.other(&c); taken {
			return g, nil
		}
		ok, err := e.make(ctx, m, &c, seen)
		if ok || err != nil {
			return g, err
		}
		if err := pause(ctx, round); err != nil {
			return backend.Grant{}, err
		}
	}
	return backend.Grant{}, errRounds
}

// make makes a move of Begin on what it saw, by itself or together with what others write.
func (e *sqliteEngine) make(ctx context.Context, m move, c *backend.Claim, seen *row) (bool, error) {
	w := &sqliteWrite{transition: transition{kind: claiming, id: c.ID, token: c.Token, claim: *c}, move: m, seen: seen}
	write := e.single
	if e.shared != nil {
		write = e.shared.do
	}
	if err := write(ctx, w); err != nil {
		return false, err
	}
	return w.grant.Verdict == backend.Kept, nil
}

// beginIn writes first: a transaction that has only read may find, when it wants to write, that it read what is old by
// now, and then SQLite refuses it at once, whatever busy_timeout says. A claim that changes nothing has still taken
// the lock, so what is read after it stays.
func (e *sqliteEngine) beginIn(ctx context.Context, on session, c backend.Claim) (backend.Grant, error) {
	r := e.store.records
	won, err := r.claim(ctx, on, &c)
	if won || err != nil {
		return backend.Grant{Verdict: backend.Claimed, Attempt: 1}, err
	}
	for range rounds {
		seen, err := r.look(ctx, on, c.ID)
		if err != nil {
			return backend.Grant{}, err
		}
		m, g := decide(seen, &c)
		ok, err := r.try(ctx, on, m, &c, seen)
		if ok || err != nil {
			return g, err
		}
	}
	return backend.Grant{}, errRounds
}

// write lets op have the writer.
func (e *sqliteEngine) write(ctx context.Context, op func(context.Context, session) error) error {
	leave, err := e.writer.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return op(ctx, e.store.pool)
}

// find needs neither the writer nor a second try: a reader has a snapshot of its own.
func (e *sqliteEngine) find(ctx context.Context, op func(context.Context, session) error) error {
	return op(ctx, e.store.pool)
}
