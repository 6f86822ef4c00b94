package pq

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// Open opens a pool on the database that dsn names, a URL or a connection string of lib/pq, brings idem's table there up
// to date and returns both the pool and the store. Closing the pool ends both. Errors never repeat dsn.
func Open(ctx context.Context, dsn string, opts ...Option) (*sqlx.DB, *sqlbackend.Store, error) {
	c := config{conns: 10}
	for i, o := range opts {
		if o == nil {
			return nil, nil, fmt.Errorf("pq: option %d of Open is nil", i+1)
		}
		if err := o.apply(&c); err != nil {
			return nil, nil, err
		}
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil { // it may repeat the password
		return nil, nil, errors.New("pq: the data source cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	return c.open(ctx, connector)
}

func (c *config) open(ctx context.Context, connector *pq.Connector) (*sqlx.DB, *sqlbackend.Store, error) {
	db := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	db.SetMaxOpenConns(c.conns)
	db.SetMaxIdleConns(c.conns) // an idle connection keeps its prepared statements
	store, err := c.start(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("pq: open: %w", err), db.Close())
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

// Dialect is sqlbackend's PostgreSQL for lib/pq, for an application that opens the pool itself.
func Dialect() sqlbackend.Dialect {
	return sqlbackend.Postgres(sqlbackend.PostgresDriver{
		Prepare:    true,
		RolledBack: func(err error) bool { return errors.Is(err, pq.ErrInFailedTransaction) },
	})
}
