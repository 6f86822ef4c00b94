package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// disguisedTests is the root of those tests whose server passes for a MySQL.
const disguisedTests = "TestMySQL8/"

// disguisedSetups have what setups have, several at once.
var disguisedSetups = map[string]setup{
	"a pool of 1 that counts found rows, no sql_mode":   {1, url.Values{"clientFoundRows": {"true"}, "sql_mode": {"''"}}},
	"a pool of 2 in another time zone, interpolating":   {2, url.Values{"time_zone": {"'-08:00'"}, "parseTime": {"true"}, "interpolateParams": {"true"}}},
	"a pool of 20 at the server's level":                {20, url.Values{"tx_isolation": {"'REPEATABLE-READ'"}}},
	"serializable everywhere, simultaneous assignments": {4, url.Values{"tx_isolation": {"'SERIALIZABLE'"}, "sql_mode": {"'SIMULTANEOUS_ASSIGNMENT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"}}},
}

// migrateOptions and newOptions are what the table and the store are made with.
func (s *storage) migrateOptions() []sqlbackend.MigrateOption {
	all := append([]sqlbackend.MigrateOption{sqlbackend.Table(s.table)}, s.migrate...)
	if s.mysql8 {
		all = append(all, sqlbackend.UntestedMySQL())
	}
	return all
}

func (s *storage) newOptions() []sqlbackend.Option {
	all := append([]sqlbackend.Option{sqlbackend.Table(s.table)}, s.options...)
	if s.mysql8 {
		all = append(all, sqlbackend.UntestedMySQL())
	}
	return all
}

// mysqlWords are those of MySQL's that MariaDB lacks, with its own. All else in a statement goes through as it is.
var mysqlWords = strings.NewReplacer(
	"VERSION()", "'8.0.20'",
	"utf8mb4_0900_bin", "utf8mb4_nopad_bin",
	"@@session.transaction_isolation", "@@session.tx_isolation",
)

// mariaDBWords are what MySQL does not know.
var mariaDBWords = []string{"SET STATEMENT", "RETURNING", "@@session.tx_isolation"}

// disguised is a connection to a MariaDB that takes MySQL's statements only, and refuses a lock with MySQL's number.
type disguised struct {
	mysqlConn
	on *tapped
}

func asMySQL(text string) (string, error) {
	for _, word := range mariaDBWords {
		if strings.Contains(text, word) {
			return "", &mysql.MySQLError{Number: 1064, Message: "MySQL does not know " + word}
		}
	}
	return mysqlWords.Replace(text), nil
}

func (d disguised) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	theirs, err := asMySQL(text)
	if err != nil {
		return nil, err
	}
	stmt, err := d.mysqlConn.PrepareContext(ctx, theirs)
	if err != nil {
		return nil, err
	}
	return disguisedStmt{stmt.(mysqlStmt), d.on, text}, nil
}

func (d disguised) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	theirs, err := asMySQL(text)
	if err != nil {
		return nil, err
	}
	d.on.inserting(text)
	res, err := d.mysqlConn.ExecContext(ctx, theirs, args)
	return res, refusedAsMySQL(text, err)
}

func (d disguised) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	theirs, err := asMySQL(text)
	if err != nil {
		return nil, err
	}
	rows, err := d.mysqlConn.QueryContext(ctx, theirs, args)
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
	on   *tapped
	text string
}

func (s disguisedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.on.inserting(s.text)
	res, err := s.mysqlStmt.ExecContext(ctx, args)
	return res, refusedAsMySQL(s.text, err)
}

func (s disguisedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.mysqlStmt.QueryContext(ctx, args)
	return rows, refusedAsMySQL(s.text, err)
}

// refusedAsMySQL gives the lock that NOWAIT did not get the number that MySQL has for it.
func refusedAsMySQL(text string, err error) error {
	var e *mysql.MySQLError
	if !strings.Contains(text, "NOWAIT") || !errors.As(err, &e) || e.Number != 1205 {
		return err
	}
	return &mysql.MySQLError{Number: 3572, Message: "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set."}
}

// inserting calls what was left to be called before the next INSERT is sent.
func (t *tapped) inserting(text string) {
	if !strings.HasPrefix(text, "INSERT") {
		return
	}
	if before := t.insert.Swap(nil); before != nil {
		(*before)()
	}
}
