package pq

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// Open opens a pool on the database that dsn names, a URL or a connection string of lib/pq, brings idem's table there up
// to date and returns both the pool and the store. Closing the pool ends both. The query of a URL may have idem's
// parameters table, readable, migrate and conns beside lib/pq's, as sqlbackend.Driver.Prepare says, and
//
//	listen  false has calls that wait poll, as WithoutListen
//
// Errors never repeat dsn.
func Open(ctx context.Context, dsn string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
	s := new(settings)
	opening, dsn, err := opener(s).Prepare(dsn, opts)
	if err != nil {
		return nil, nil, err
	}
	connector, err := connectorTo(dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("pq: %w", err)
	}
	if s.listens() {
		connector = opening.Listen(listenerOn(cmp.Or(s.direct, dsn)), connector)
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	store, err := opening.Start(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("pq: open: %w", err)
	}
	return db, store, nil
}

func opener(s *settings) sqlbackend.Driver {
	return sqlbackend.Driver{Name: "pq", Dialect: Dialect(), Conns: 10, Settings: s, Parameters: map[string]sqlbackend.Parameter{
		"listen": sqlbackend.Unless(WithoutListen()),
	}}
}

func connectorTo(dsn string) (driver.Connector, error) {
	connector, err := pq.NewConnector(dsn)
	if err != nil { // it may repeat the password
		return nil, errors.New("the data source cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	return connector, nil
}

// Dialect is sqlbackend's PostgreSQL for lib/pq, for an application that opens the pool itself.
func Dialect() sqlbackend.Dialect {
	return sqlbackend.Postgres(sqlbackend.PostgresDriver{
		Prepare:    true,
		RolledBack: func(err error) bool { return errors.Is(err, pq.ErrInFailedTransaction) },
	})
}
