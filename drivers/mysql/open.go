package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// driverName is the one under which github.com/go-sql-driver/mysql registers itself.
const driverName = "mysql"

// Open opens the database that address names, brings idem's table in it up to date and returns the database and the
// store in it. Closing the database ends both. address is a URL,
//
//	mysql://user:password@host:port/database?name=value
//
// in which what has a meaning of its own is percent-encoded. The port is 3306 unless given. The query may have
//
//	socket  the file of a Unix socket, instead of a host
//
// idem's parameters table, readable, migrate, conns and untested_mysql, as sqlbackend.Driver.Prepare says, and every
// parameter of the driver and system variable of the server, as the driver's data source names have them. Connections are
// at READ COMMITTED unless tx_isolation says otherwise. On MySQL, whose statements cannot have a lock wait of their own, they
// have an innodb_lock_wait_timeout of 1 s unless the query sets it, which is the application's too. Errors repeat no part of
// address.
func Open(ctx context.Context, address string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
	opening, address, err := opener.Prepare(address, opts)
	if err != nil {
		return nil, nil, err
	}
	dsn, err := parseURL(address)
	if err != nil {
		return nil, nil, fmt.Errorf("mysql: %w", err)
	}
	if err := dsn.Apply(mysql.BeforeConnect(new(server).suit)); err != nil {
		return nil, nil, fmt.Errorf("mysql: open: %w", err)
	}
	connector, err := mysql.NewConnector(dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("mysql: open: %w", err)
	}
	db := sqlx.NewDb(sql.OpenDB(connector), driverName)
	store, err := opening.Start(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("mysql: open: %w", err)
	}
	return db, store, nil
}

var opener = sqlbackend.Driver{Name: "mysql", Dialect: Dialect(), Conns: 10}

// Dialect is sqlbackend.MySQL with the error numbers of github.com/go-sql-driver/mysql, for an application that opens
// the database itself.
func Dialect() sqlbackend.Dialect { return sqlbackend.MySQL(errorNumber) }

// packetTooLarge is the server's number for what the driver may refuse before it sends it.
const packetTooLarge = 1153

func errorNumber(err error) (uint16, bool) {
	var e *mysql.MySQLError
	switch {
	case errors.As(err, &e):
		return e.Number, true
	case errors.Is(err, mysql.ErrPktTooLarge):
		return packetTooLarge, true
	}
	return 0, false
}
