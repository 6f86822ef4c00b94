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

// PostgresDriver is what the dialect of PostgreSQL has to know of the driver behind the pool. The zero value is right
// for a driver that keeps prepared statements by itself, as pgx does.
type PostgresDriver struct {
	// Prepare says that the store prepares its statements on the pool and keeps them: a driver like lib/pq takes two
	// round trips for a statement that is not prepared. The option WithoutPrepare overrules it.
	Prepare bool

	// RolledBack reports whether an error of COMMIT says that the transaction had failed before and was rolled back:
	// the server answers such a COMMIT without an error, and drivers make up one. It may be nil: then such a COMMIT
	// counts as one without an answer.
	RolledBack func(error) bool
}

// Postgres returns the dialect of PostgreSQL 12 or later, for any driver whose errors have a method SQLState() string,
// which pgx and lib/pq have. drivers/pgx and drivers/pq have it ready for theirs.
//
// The pool must reach the server that takes writes. A Store needs no state of a session, so a pooler in transaction mode
// will do (the documentation of drivers/pgx says how; a Listener and Migrate go around it), and no setting but the
// defaults: it asks for READ COMMITTED where it begins a transaction, and what runs alone is run again where
// default_transaction_isolation makes it fail.
func Postgres(d PostgresDriver) Dialect { return postgresDialect{d} }

// WithoutPrepare has a store on PostgreSQL prepare nothing on the pool, whatever the dialect says of the driver: for a
// pool that leads through a pooler like PgBouncer in transaction mode, where what is prepared on one connection is missing
// on the next. lib/pq then needs binary_parameters=yes in its data source, with which a statement still takes one round
// trip. Other databases refuse it.
func WithoutPrepare() Option {
	return storeOption(func(c *config) error {
		c.unprepared = true
		return nil
	})
}

type postgresDialect struct{ driver PostgresDriver }

func (postgresDialect) valid() error { return nil }

// postgresNow is the time at which the server received the statement: one and the same in all of it, and going on inside a
// transaction, where now() does not. date_part counts in doubles, which have milliseconds to spare, and costs a twentieth of
// extract, which counts in decimals.
const postgresNow = `(date_part('epoch', statement_timestamp()) * 1000)::bigint`

func (postgresDialect) words() words {
	return words{
		migrations: "migrations/postgres",
		quote:      `"`,
		bind:       sqlx.DOLLAR,
		now:        postgresNow,
		within:     withinBlocks,
		ended:      notifyEnd,
		unmarked:   `, waited = 0`,
	}
}

func (postgresDialect) defaults(c *config) {
	c.step, c.pause = 1000, time.Millisecond
}

// usable refuses a server that would refuse every claim.
func (d postgresDialect) usable(ctx context.Context, db *sqlx.DB, t table) error {
	var version int
	var standby, readOnly bool
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
current_setting('transaction_read_only') = 'on'`).Scan(&version, &standby, &readOnly)
	switch {
	case err != nil:
		return failure(ctx, "ask for the server's version", err, d.classify)
	case version < 120000:
		return fmt.Errorf("sqlbackend: PostgreSQL 12 or later is needed, this is %d.%d", version/10000, version%10000)
	case standby:
		return errors.New("sqlbackend: the server is a standby (pg_is_in_recovery): records need the one that takes writes")
	case readOnly:
		return errors.New("sqlbackend: the connection is read-only (transaction_read_only is on): records need one that takes writes")
	}
	schema, err := schemaThere(ctx, db, t)
	if err == nil && !schema {
		err = fmt.Errorf("option Table: there is no schema %s", t.schemaOr("in the search_path"))
	}
	return failure(ctx, "ask for the schema", err, d.classify)
}

func (d postgresDialect) engine(s *Store) engine {
	if s.config.unprepared {
		d.driver.Prepare = false
	}
	if !d.driver.Prepare {
		s.pool = unprepared{s.db}
	}
	w := d.words()
	q := func(text string) *query { return &query{text: w.fill(s.config.table, text)} }
	return &postgresEngine{
		postgresDialect: d,
		store:           s,
		claim:           q(postgresClaim(false)),
		claimGated:      q(postgresClaim(true)),
		enter:           q(enterGate),
		wait:            q(waitForGate),
		blocks:          q(blocksOfTable),
		waited:          q(markWaited),
		tell:            q(`SELECT pg_notify('` + notifyChannel + `', ?::text)`),
	}
}

// postgresEngine looks and claims in one statement.
type postgresEngine struct {
	postgresDialect
	store             *Store
	claim, claimGated *query // the look of Begin and its claim, alone and in a transaction
	enter, wait       *query // the gate: take it, or wait for the transaction that has it
	blocks            *query // a walk's step
	waited, tell      *query // for those who wait
	byID              bool   // the walk goes by the ids
}

// askServer chooses how to walk. Before version 14 a range of places is looked for in the whole table.
func (e *postgresEngine) askServer(ctx context.Context) error {
	var version int
	err := e.store.db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version)
	if version >= firstWithBlockScans || err != nil {
		return err
	}
	e.walkByID()
	return nil
}

func (e *postgresEngine) walkByID() {
	w := e.words()
	w.within = withinIDs
	e.byID, e.store.records.sql = true, newStatements(e.store.config.table, w)
}

func (e *postgresEngine) begin(ctx context.Context, c backend.Claim) (g backend.Grant, err error) {
	err = e.write(ctx, func(ctx context.Context, on session) error {
		g, _, err = e.ask(ctx, on, e.claim, &c, e.claimArgs(&c), nil)
		return err
	})
	return g, err
}

// beginIn takes the gate of the record, which the transaction keeps until it ends: so that a duplicate is told at once
// that it is in flight, instead of waiting for a row that is not committed. What needs no claim takes no gate.
func (e *postgresEngine) beginIn(ctx context.Context, on session, c backend.Claim) (backend.Grant, error) {
	g, _, err := e.claimIn(ctx, on, &c)
	return g, err
}

func (e *postgresEngine) claimIn(ctx context.Context, on session, c *backend.Claim) (backend.Grant, move, error) {
	number := gate(c.ID)
	return e.ask(ctx, on, e.claimGated, c, append(e.claimArgs(c), number), func() (open bool, err error) {
		rows, err := on.query(ctx, e.enter, number)
		err = one(rows, err, func(s scanner) error { return s.Scan(&open) })
		return open, err
	})
}

// write runs op in autocommit. Where the sessions' default isolation is above READ COMMITTED the server may roll that
// back for a race which is none here: then op gets a transaction of its own, which names its isolation.
func (e *postgresEngine) write(ctx context.Context, op func(context.Context, session) error) error {
	err := op(ctx, e.store.pool)
	for round := 0; round < rounds && e.classify(err) == conflict; round++ {
		if err := pause(ctx, round); err != nil {
			return err
		}
		err = e.store.transact(ctx, readCommitted, func(tx *sqlx.Tx) error { return op(ctx, within{tx}) })
	}
	return explained(err)
}

// find is write: at SERIALIZABLE the server may choose a reader for its victim too.
func (e *postgresEngine) find(ctx context.Context, op func(context.Context, session) error) error {
	return e.write(ctx, op)
}

// unprepared is a session on the pool whose driver prepares statements by itself.
type unprepared struct{ db *sqlx.DB }

func (u unprepared) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	return affected(u.run(ctx, q, args...))
}

func (u unprepared) run(ctx context.Context, q *query, args ...any) (sql.Result, error) {
	return u.db.ExecContext(ctx, q.text, args...)
}

func (u unprepared) query(ctx context.Context, q *query, args ...any) (*sql.Rows, error) {
	return u.db.QueryContext(ctx, q.text, args...)
}
