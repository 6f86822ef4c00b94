package pgx

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// Open opens a pool on the database that dsn names, a URL or a connection string of pgx, brings idem's table there up to
// date and returns both the pool and the store. Closing the pool ends both. Errors never repeat dsn.
func Open(ctx context.Context, dsn string, opts ...Option) (*sqlx.DB, *sqlbackend.Store, error) {
	c := config{conns: 10}
	for i, o := range opts {
		if o == nil {
			return nil, nil, fmt.Errorf("pgx: option %d of Open is nil", i+1)
		}
		if err := o.apply(&c); err != nil {
			return nil, nil, err
		}
	}
	parsed, err := pgx.ParseConfig(dsn)
	if err != nil { // it may repeat the password
		return nil, nil, errors.New("pgx: the data source cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	return c.open(ctx, parsed)
}

func (c *config) open(ctx context.Context, parsed *pgx.ConnConfig) (*sqlx.DB, *sqlbackend.Store, error) {
	db := sqlx.NewDb(stdlib.OpenDB(*parsed), "pgx")
	db.SetMaxOpenConns(c.conns)
	db.SetMaxIdleConns(c.conns) // an idle connection keeps its prepared statements
	store, err := c.start(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("pgx: open: %w", err), db.Close())
	}
	return db, store, nil
}

func (c *config) start(ctx context.Context, db *sqlx.DB) (*sqlbackend.Store, error) {
	if !c.byHand {
		if err := sqlbackend.Migrate(ctx, db, Dialect(), c.migrate...); err != nil {
			return nil, err
		}
	}
	return sqlbackend.New(ctx, db, Dialect(), c.store...)
}

// Dialect is sqlbackend's PostgreSQL for pgx, for an application that opens the pool itself.
func Dialect() sqlbackend.Dialect {
	return sqlbackend.Postgres(sqlbackend.PostgresDriver{
		RolledBack: func(err error) bool { return errors.Is(err, pgx.ErrTxCommitRollback) },
	})
}
