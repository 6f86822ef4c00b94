package sqlbackend

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// Store keeps records in one table of a SQL database. Make one with New; the zero value is not usable. All methods may
// be called concurrently, also from any number of processes on one database. A Store starts nothing in the background
// but, with GroupCommit, what sends for several calls while they wait, and owns nothing but statements that it prepared on
// the pool, which closing the pool closes.
type Store struct {
	db      *sqlx.DB
	pool    session // db, each statement in autocommit
	config  config
	records *records
	engine  engine
	group   group // nil: every call goes by itself
	pruner  pruner
}

var (
	_ backend.Store                = (*Store)(nil)
	_ backend.Transactor[*sqlx.Tx] = (*Store)(nil)
	_ backend.Pruner               = (*Store)(nil)
	_ backend.Inspector            = (*Store)(nil)
	_ backend.Checker              = (*Store)(nil)
)

// New returns the store of a table that Migrate made. The dialect must be that of the database behind db, which New
// asks whether records can be kept there: it fails where the table is missing, where its schema is older than this
// library (run Migrate) or newer (an error that wraps backend.ErrVersion), and where the database would forget.
func New(ctx context.Context, db *sqlx.DB, d Dialect, opts ...Option) (*Store, error) {
	if err := given(db, d); err != nil {
		return nil, err
	}
	c := newConfig(d)
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("sqlbackend: option %d of New is nil", i+1)
		}
		if err := o.configure(&c); err != nil {
			return nil, err
		}
	}
	return c.open(ctx, db, d)
}

// open returns the store that c describes.
func (c config) open(ctx context.Context, db *sqlx.DB, d Dialect) (*Store, error) {
	d, err := chosen(ctx, db, d, c.untestedMySQL)
	if err != nil {
		return nil, err
	}
	if err := ready(ctx, db, d, c.table); err != nil {
		return nil, err
	}
	s := &Store{db: db, pool: pool{db}, config: c, pruner: newPruner()}
	s.records = &records{sql: newStatements(c.table, d.words()), readable: c.readable}
	s.engine = d.engine(s)
	if _, ok := s.engine.(*postgresEngine); c.unprepared && !ok {
		return nil, errors.New("sqlbackend: option WithoutPrepare: this database is not PostgreSQL")
	}
	if a, ok := s.engine.(asker); ok {
		if err := a.askServer(ctx); err != nil {
			return nil, failure(ctx, "ask the server", err, s.engine.classify)
		}
	}
	if g, ok := s.engine.(grouper); ok && c.group {
		s.group = g.group()
	}
	if err := s.listens(); err != nil {
		return nil, err
	}
	return s, nil
}

func given(db *sqlx.DB, d Dialect) error {
	switch {
	case db == nil:
		return errors.New("sqlbackend: db is nil")
	case d == nil:
		return errors.New("sqlbackend: the dialect is nil; give one, such as SQLite")
	default:
		return d.valid()
	}
}

// ready reports why the store could not work on this database.
func ready(ctx context.Context, db *sqlx.DB, d Dialect, t table) error {
	if err := d.usable(ctx, db, t); err != nil {
		return err
	}
	have, err := d.version(ctx, db, t)
	if err != nil {
		return fmt.Errorf("sqlbackend: cannot read the version of table %s: %w", t, err)
	}
	want, err := latest(d)
	switch {
	case err != nil:
		return err
	case have == 0:
		return fmt.Errorf("sqlbackend: there is no table %s: run sqlbackend.Migrate, or the files in sqlbackend.Migrations", t)
	case have < want:
		return fmt.Errorf("sqlbackend: table %s has schema version %d, this library needs %d: run sqlbackend.Migrate", t, have, want)
	case have > want:
		return fmt.Errorf("%w: table %s has schema version %d, this library knows %d", backend.ErrVersion, t, have, want)
	}
	return nil
}

// Begin claims a record as backend.Store says.
func (s *Store) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	return s.do(ctx, &transition{kind: claiming, id: c.ID, token: c.Token, claim: c})
}

// Renew extends a claim's lease as backend.Store says.
func (s *Store) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	return s.do(ctx, &transition{kind: renewing, id: id, token: token, renewal: n})
}

// Complete stores an answer as backend.Store says.
func (s *Store) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	return s.do(ctx, &transition{kind: completing, id: id, token: token, completion: c})
}

// Release frees a record as backend.Store says.
func (s *Store) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	return s.do(ctx, &transition{kind: releasing, id: id, token: token})
}

// Hold gives a record up without an answer as backend.Store says. An empty note keeps the one that a renewal left.
func (s *Store) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	return s.do(ctx, &transition{kind: holding, id: id, token: token, note: note})
}

// write runs what is no call of backend.Store in autocommit.
func (s *Store) write(ctx context.Context, op string, f func(context.Context, session) (backend.Grant, error)) (g backend.Grant, err error) {
	err = s.engine.write(ctx, func(ctx context.Context, on session) error {
		g, err = f(ctx, on)
		return err
	})
	return s.result(ctx, op, g, err)
}

// readOne scans the row that q finds, if there is one, in autocommit. Where the database has rolled a read back, q runs
// again, and scan sees its row anew.
func (s *Store) readOne(ctx context.Context, q *query, scan func(scanner) error, args ...any) error {
	return s.engine.find(ctx, func(ctx context.Context, on session) error {
		rows, err := on.query(ctx, q, args...)
		return one(rows, err, scan)
	})
}

func (s *Store) result(ctx context.Context, op string, g backend.Grant, err error) (backend.Grant, error) {
	if err != nil {
		return backend.Grant{}, failure(ctx, op, err, s.engine.classify)
	}
	return g, nil
}
