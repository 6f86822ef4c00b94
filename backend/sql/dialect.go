package sqlbackend

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// Dialect says which database a Store talks to. Make one with [SQLite], [Postgres] or [MySQL]. A Dialect may be used for
// any number of stores, also concurrently.
//
// It owns whole operations, not words, wherever databases take different ways to the same answer; what they share is
// text with the few differing words filled in, built once by New.
type Dialect interface {
	// valid reports what is wrong with the arguments of the dialect's constructor.
	valid() error

	// words are what the shared statements are built with.
	words() words

	// defaults fills in what the options of New start from.
	defaults(*config)

	// usable reports why records must not be kept in this database. It changes nothing.
	usable(ctx context.Context, db *sqlx.DB, t table) error

	// version returns the version of the schema, 0 where there is none.
	version(ctx context.Context, on sqlx.QueryerContext, t table) (int, error)

	// alone runs f on one connection, in a transaction where the database can roll its schema back, while no other
	// process is inside alone for the same database. It waits as long as ctx allows.
	alone(ctx context.Context, db *sqlx.DB, f func(context.Context, *sqlx.Conn) error) error

	// references returns what follows the column of a foreign key to k, and keyed whether the table has it.
	references(k usersKey) string
	keyed(ctx context.Context, on sqlx.QueryerContext, t table, k usersKey) (bool, error)

	// engine binds the dialect to one store. It may give the store another session than the prepared statements of its
	// pool, where something between here and the database cannot have those.
	engine(*Store) engine
}

// words are the few in which the shared statements differ.
type words struct {
	migrations string // the directory of the schema
	quote      string // around an identifier
	bind       int    // how sqlx writes a parameter: sqlx.QUESTION, sqlx.DOLLAR
	now        string // the database's clock at this statement, not at the transaction's start, in milliseconds since 1970
	within     string // a condition on the two ends of a span, of which the second belongs to it
	ended      string // what follows a statement that ends a claim
	unmarked   string // an assignment, after a comma, that says that nobody waits for a record
}

// engine does what databases do in ways of their own. Its methods may be called concurrently.
type engine interface {
	// begin is Store.Begin in autocommit; beginIn is the same in a transaction, where it must not disturb what the
	// caller wrote before.
	begin(context.Context, backend.Claim) (backend.Grant, error)
	beginIn(context.Context, session, backend.Claim) (backend.Grant, error)

	// write runs op, whose every statement is atomic and idempotent by itself, in autocommit, and again where the
	// database asks for that.
	write(ctx context.Context, op func(context.Context, session) error) error

	// find is write for an op that only reads: it waits for no writer.
	find(ctx context.Context, op func(context.Context, session) error) error

	// inTx and settle are backend.Transactor's.
	inTx(context.Context, backend.Claim, txFunc) (backend.Grant, error)
	settle(context.Context, backend.ID, backend.Token) (backend.Grant, error)

	// span returns the end of a walk's next step of about so many rows, in the table's physical order, and whether it
	// is the last. A nil from is the start.
	span(ctx context.Context, from []byte, rows int) (to []byte, last bool, err error)

	// check is backend.Checker's.
	check(context.Context) ([]backend.Finding, error)

	// classify says what an error means, also a wrapped one.
	classify(error) class
}

// asker is an engine that New lets ask the server what it can do, before it is used.
type asker interface {
	askServer(context.Context) error
}

// class is what an error of the database means to a caller. The zero value: nothing is known.
type class uint8

const (
	unclassified class = iota
	conflict           // the transaction was rolled back, or must be, and may be run again
	busy               // another writer did not let go in time
	refused            // a constraint forbids it
	missingKey         // a foreign key's target is not there
	tooLarge           // the value can never be stored
)
