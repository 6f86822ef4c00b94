package pgx

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func init() {
	backend.Register("postgres", openURL)
	backend.Register("postgresql", openURL)
}

func openURL(ctx context.Context, address string) (backend.Handle, error) {
	db, store, err := Open(ctx, address)
	if err != nil {
		return backend.Handle{}, err
	}
	return backend.Handle{Store: store, Close: db.Close}, nil
}

// Open opens a pool on the database that dsn names, a URL or a connection string of pgx, brings idem's table there up to
// date and returns both the pool and the store. Closing the pool ends both. The query of a URL may have idem's parameters
// table, readable, migrate and conns beside pgx's, as sqlbackend.Driver.Prepare says, and
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
	parsed, err := parse(dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("pgx: %w", err)
	}
	connector := stdlib.GetConnector(*parsed)
	if s.listens() {
		connector = opening.Listen(listenerOn(cmp.Or(s.direct, parsed)), connector)
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "pgx")
	store, err := opening.Start(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("pgx: open: %w", err)
	}
	return db, store, nil
}

func opener(s *settings) sqlbackend.Driver {
	return sqlbackend.Driver{Name: "pgx", Dialect: Dialect(), Conns: 10, Settings: s, Parameters: map[string]sqlbackend.Parameter{
		"listen": sqlbackend.Unless(WithoutListen()),
	}}
}

func parse(dsn string) (*pgx.ConnConfig, error) {
	parsed, err := pgx.ParseConfig(dsn)
	if err != nil { // it may repeat the password
		return nil, errors.New("the data source cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	return parsed, nil
}

// Dialect is sqlbackend's PostgreSQL for pgx, for an application that opens the pool itself.
func Dialect() sqlbackend.Dialect {
	return sqlbackend.Postgres(sqlbackend.PostgresDriver{
		RolledBack: func(err error) bool { return errors.Is(err, pgx.ErrTxCommitRollback) },
	})
}
