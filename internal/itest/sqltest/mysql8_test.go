package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/mysql"
)

// viaMySQL8 sends MySQL's statements to a MariaDB that passes for a MySQL: no MySQL is at hand. What that proves is that
// they do what they should on a server that knows them all.
var viaMySQL8 = &via{
	name: "mysql 8", family: mariadb, dialect: mysql.Dialect, open: openDisguised, connector: connectorDisguised,
	consents:   []sqlbackend.TableOption{sqlbackend.UntestedMySQL()},
	migrations: "migrations/mysql8",
}

// openDisguised does what mysql.Open would, which asks the server itself what it is.
func openDisguised(ctx context.Context, address string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
	opening, address, err := sqlbackend.Driver{Name: "mysql", Dialect: mysql.Dialect(), Conns: 10}.Prepare(address, opts)
	if err != nil {
		return nil, nil, err
	}
	connector, err := disguise(address, nil)
	if err != nil {
		return nil, nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "mysql")
	store, err := opening.Start(ctx, db)
	return db, store, err
}

func connectorDisguised(tb backendtest.TB, p *place, w *wire) driver.Connector {
	tb.Helper()
	connector, err := disguise(mysqlURL(p), w)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return connector
}

// disguise connects as mysql.Open does to a MySQL.
func disguise(address string, w *wire) (driver.Connector, error) {
	c, err := configMySQL(address)
	if err != nil {
		return nil, err
	}
	if w != nil {
		c.DialFunc = w.dial
	}
	if _, set := c.Params["innodb_lock_wait_timeout"]; !set {
		c.Params["innodb_lock_wait_timeout"] = "1"
	}
	connector, err := mysqldriver.NewConnector(c)
	return disguised{connector}, err
}

type disguised struct{ driver.Connector }

func (d disguised) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := d.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return disguisedConn{conn.(mysqlConn)}, nil
}

// mysqlWords are those of MySQL's that MariaDB lacks, with its own. All else in a statement goes through as it is.
var mysqlWords = strings.NewReplacer(
	"VERSION()", "'8.0.20'",
	"utf8mb4_0900_bin", "utf8mb4_nopad_bin",
	"@@session.transaction_isolation", "@@session.tx_isolation",
)

// mariaDBWords are what MySQL does not know.
var mariaDBWords = []string{"SET STATEMENT", "RETURNING", "@@session.tx_isolation"}

func asMySQL(text string) (string, error) {
	for _, word := range mariaDBWords {
		if strings.Contains(text, word) {
			return "", &mysqldriver.MySQLError{Number: 1064, Message: "MySQL does not know " + word}
		}
	}
	return mysqlWords.Replace(text), nil
}

// mysqlConn are the interfaces of the driver's connection that database/sql asks for.
type mysqlConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// disguisedConn takes MySQL's statements only, and refuses a lock with MySQL's number.
type disguisedConn struct{ mysqlConn }

func (c disguisedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	theirs, err := asMySQL(text)
	if err != nil {
		return nil, err
	}
	stmt, err := c.mysqlConn.PrepareContext(ctx, theirs)
	if err != nil {
		return nil, err
	}
	return disguisedStmt{stmt.(mysqlStmt), text}, nil
}

func (c disguisedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	theirs, err := asMySQL(text)
	if err != nil {
		return nil, err
	}
	res, err := c.mysqlConn.ExecContext(ctx, theirs, args)
	return res, refusedAsMySQL(text, err)
}

func (c disguisedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	theirs, err := asMySQL(text)
	if err != nil {
		return nil, err
	}
	rows, err := c.mysqlConn.QueryContext(ctx, theirs, args)
	return rows, refusedAsMySQL(text, err)
}

// mysqlStmt are the interfaces of the driver's statement that database/sql asks for.
type mysqlStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

type disguisedStmt struct {
	mysqlStmt
	text string
}

func (s disguisedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	res, err := s.mysqlStmt.ExecContext(ctx, args)
	return res, refusedAsMySQL(s.text, err)
}

func (s disguisedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.mysqlStmt.QueryContext(ctx, args)
	return rows, refusedAsMySQL(s.text, err)
}

// refusedAsMySQL gives the lock that NOWAIT did not get the number that MySQL has for it.
func refusedAsMySQL(text string, err error) error {
	var e *mysqldriver.MySQLError
	if !strings.Contains(text, "NOWAIT") || !errors.As(err, &e) || e.Number != 1205 {
		return err
	}
	return &mysqldriver.MySQLError{Number: 3572, Message: "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set."}
}
