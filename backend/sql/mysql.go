package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrorNumber reads the server's error number out of a driver's error, which may be wrapped. ok is false for errors that
// are not the server's.
type ErrorNumber func(err error) (number uint16, ok bool)

// MySQL returns the dialect of the servers that speak MySQL's protocol: MariaDB 10.6 or later, tested with 10.11, and
// MySQL 8.0.20 or later, which is not tested and is refused without the option [UntestedMySQL]. Which of them it is New
// and Migrate ask the server.
//
// number tells the errors of the driver in use. With github.com/go-sql-driver/mysql:
//
//	func(err error) (uint16, bool) {
//		var e *mysql.MySQLError
//		switch {
//		case errors.As(err, &e):
//			return e.Number, true
//		case errors.Is(err, mysql.ErrPktTooLarge):
//			return 1153, true
//		}
//		return 0, false
//	}
//
// Any data source name will do whose connections speak utf8mb4, which is the driver's default: clientFoundRows,
// parseTime, time_zone and sql_mode do not matter. InTx runs at READ COMMITTED whatever the server's default is;
// transactions that are joined should too. On MySQL innodb_lock_wait_timeout should be 1 for every connection, since a
// claim that waits for a lock waits that long. drivers/mysql opens a database with everything set.
func MySQL(number ErrorNumber) Dialect { return mysqlProtocol{mysqlDialect{number: number}} }

// mysqlDialect is the dialect of one server.
type mysqlDialect struct {
	number ErrorNumber
	server mysqlServer
}

func (d mysqlDialect) valid() error {
	if d.number == nil {
		return errors.New("sqlbackend: MySQL needs the function that reads the driver's error numbers")
	}
	return nil
}

// mysqlNow does not depend on the session's time zone, and has no hour that comes twice. The server keeps it for the
// whole statement, however long that waits for a lock.
const mysqlNow = `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)`

func (d mysqlDialect) words() words {
	return words{
		migrations: d.server.migrations,
		quote:      "`",
		bind:       sqlx.QUESTION,
		now:        mysqlNow,
		within:     `id > ? AND id <= ?`,
	}
}

func (mysqlDialect) defaults(c *config) {
	c.step, c.pause = 1000, time.Millisecond
}

// usable refuses connections that could keep no claim, or would garble text.
func (d mysqlDialect) usable(ctx context.Context, db *sqlx.DB, t table) error {
	var charset, isolation string
	var chosen, schema sql.NullString
	var autocommit bool
	err := db.QueryRowContext(ctx, `SELECT DATABASE(), @@autocommit, @@session.`+d.server.isolation+`,
CONCAT_WS(' ', @@character_set_client, @@character_set_connection, COALESCE(@@character_set_results, 'utf8mb4')),
(SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = COALESCE(NULLIF(?, ''), DATABASE()))`,
		t.schema).Scan(&chosen, &autocommit, &isolation, &charset, &schema)
	switch {
	case err != nil:
		return failure(ctx, "ask for the connections' settings", err, d.classify)
	case t.schema == "" && !chosen.Valid:
		return errors.New("sqlbackend: the connections have no database: name one in the data source name, or in the option Table")
	case !schema.Valid:
		return fmt.Errorf("sqlbackend: option Table: there is no database %s, or it may not be seen", t.schema)
	case !autocommit:
		return errors.New("sqlbackend: the connections have autocommit off, so that no claim would be kept: leave it out of the data source name")
	case strings.EqualFold(isolation, "READ-UNCOMMITTED"):
		return errors.New("sqlbackend: the connections are at READ UNCOMMITTED, where an answer is replayed that is not committed and may never be: set " +
			d.server.isolation + "='READ-COMMITTED' in the data source name")
	case charset != "utf8mb4 utf8mb4 utf8mb4":
		return fmt.Errorf("sqlbackend: the connections speak %q, not utf8mb4: leave charset and collation out of the data source name", charset)
	}
	return nil
}

const mysqlComment = "idem schema "

// version reads the comment that the migrations leave on the table.
func (mysqlDialect) version(ctx context.Context, on sqlx.QueryerContext, t table) (int, error) {
	var comment string
	err := on.QueryRowxContext(ctx, `SELECT TABLE_COMMENT FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`, t.schema, t.name).Scan(&comment)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	number, ours := strings.CutPrefix(comment, mysqlComment)
	version, err := strconv.Atoi(number)
	if !ours || err != nil || version < 1 {
		return 0, fmt.Errorf("the table is not idem's: its comment must be %q and a number", mysqlComment)
	}
	return version, nil
}

const mysqlLock = "idem_migrate"

// alone holds a lock of the server's. A schema change commits by itself here; each is one statement.
func (d mysqlDialect) alone(ctx context.Context, db *sqlx.DB, f func(context.Context, *sqlx.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for locked := false; !locked; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// A wait that is short ends soon after a caller who has left: the server does not see him go.
		if err := conn.QueryRowContext(ctx, `SELECT COALESCE(GET_LOCK('`+mysqlLock+`', 1), 0)`).Scan(&locked); err != nil {
			return err
		}
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
		defer cancel()
		if _, err := conn.ExecContext(ctx, `DO RELEASE_LOCK('`+mysqlLock+`')`); err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the lock goes with the connection
		}
	}()
	return f(ctx, conn)
}

func (mysqlDialect) keyed(ctx context.Context, on sqlx.QueryerContext, t table, k usersKey) (there bool, err error) {
	err = on.QueryRowxContext(ctx, `SELECT COUNT(*) > 0 FROM information_schema.KEY_COLUMN_USAGE c
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
ON r.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND r.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND c.TABLE_NAME = ? AND c.COLUMN_NAME = 'user_name'
AND LOWER(c.REFERENCED_TABLE_NAME) = LOWER(?) AND LOWER(c.REFERENCED_COLUMN_NAME) = LOWER(?) AND r.DELETE_RULE = 'CASCADE'`,
		t.schema, t.name, k.table, k.column).Scan(&there)
	return there, err
}

// The servers' error numbers that mean something here, https://mariadb.com/kb/en/mariadb-error-codes/ and
// https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html. Those that are one server's alone mean nothing
// else on the other.
const (
	mysqlDuplicate      = 1062
	mysqlPacketTooLarge = 1153
	mysqlUnknown        = 1193 // variable
	mysqlLockWait       = 1205
	mysqlLockNoWait     = 3572 // MySQL; MariaDB answers NOWAIT with 1205
	mysqlDeadlock       = 1213
	mysqlChanged        = 1020 // since the snapshot, with MariaDB's innodb_snapshot_isolation
	mysqlGroupConflict  = 3101 // MySQL's group replication refused the commit
	mysqlNoParent       = 1452
	mysqlHasChildren    = 1451
	mysqlCheck          = 4025 // MariaDB
	mysqlCheckViolated  = 3819 // MySQL
	mysqlBadValue       = 1366
	mysqlBadLiteral     = 1292
	mysqlBadString      = 3854 // MySQL
)

func (d mysqlDialect) classify(err error) class {
	if errors.Is(err, errGone) {
		return conflict
	}
	number, ok := d.number(err)
	if !ok {
		return unclassified
	}
	switch number {
	case mysqlDeadlock, mysqlChanged, mysqlGroupConflict:
		return conflict
	case mysqlLockWait, mysqlLockNoWait:
		return busy
	case mysqlNoParent:
		return missingKey
	case mysqlDuplicate, mysqlHasChildren, mysqlCheck, mysqlCheckViolated:
		return refused
	case mysqlPacketTooLarge:
		return tooLarge
	}
	return unclassified
}
