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
// to date and returns both the pool and the store. Closing the pool ends both. The query of a URL may have idem's
// parameters table, readable, migrate and conns beside lib/pq's, as sqlbackend.Driver.Prepare says. Errors never repeat
// dsn.
func Open(ctx context.Context, dsn string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
	opening, dsn, err := opener.Prepare(dsn, opts)
	if err != nil {
		return nil, nil, err
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil { // it may repeat the password
		return nil, nil, errors.New("pq: the data source cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	store, err := opening.Start(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("pq: open: %w", err)
	}
	return db, store, nil
}

var opener = sqlbackend.Driver{Name: "pq", Dialect: Dialect(), Conns: 10}

// Dialect is sqlbackend's PostgreSQL for lib/pq, for an application that opens the pool itself.
func Dialect() sqlbackend.Dialect {
	return sqlbackend.Postgres(sqlbackend.PostgresDriver{
		Prepare:    true,
		RolledBack: func(err error) bool { return errors.Is(err, pq.ErrInFailedTransaction) },
	})
}
