package sqlbackend

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/jmoiron/sqlx"
)

// mysqlServer is what tells the servers of the protocol apart: the words in which their statements differ, and how an
// engine claims and sweeps there.
type mysqlServer struct {
	migrations string // the directory of the schema
	foreignKey string // how a foreign key of the column user_name begins, where the migration has its mark
	isolation  string // the variable that holds a session's isolation level

	// SET STATEMENT gives one statement a lock wait of its own: none, or a second. A wait of the session's length, 50 s
	// unless somebody set it, would go on after its caller has left, and then claim for nobody. Where there is no such
	// thing, reads that lock say NOWAIT instead, and the session's length bounds the writes.
	atOnce, patiently, noWait string

	asks   func(*mysqlEngine) mysqlAsk
	checks []mysqlSetting // beside those of every server
}

// mariaDB answers a statement that writes with the rows it wrote.
var mariaDB = mysqlServer{
	migrations: "migrations/mysql",
	isolation:  "tx_isolation",
	atOnce:     `SET STATEMENT innodb_lock_wait_timeout = 0 FOR `,
	patiently:  `SET STATEMENT innodb_lock_wait_timeout = 1 FOR `,
	asks:       newMariaDBAsk,
}

// mysql8 is MySQL itself. It takes a foreign key in a column's definition for a remark, so the key follows the columns.
var mysql8 = mysqlServer{
	migrations: "migrations/mysql8",
	foreignKey: ",\n    FOREIGN KEY (user_name) ",
	isolation:  "transaction_isolation",
	noWait:     ` NOWAIT`,
	asks:       newMySQL8Ask,
	checks:     mysql8Checks,
}

// UntestedMySQL lets New and Migrate go on with MySQL 8.0.20 or later, which they refuse otherwise: no MySQL server was
// at hand when this library was made. Its statements for MySQL were run through the whole suite on MariaDB, which knows
// them too, and are written by MySQL's manual; on MySQL itself nobody has run them. Run the suite of backendtest on your
// server first. With any other database the option does nothing.
func UntestedMySQL() TableOption { return untestedOption{} }

type untestedOption struct{}

func (untestedOption) configure(c *config) error {
	c.untestedMySQL = true
	return nil
}

func (untestedOption) plan(p *plan) error {
	p.untestedMySQL = true
	return nil
}

func (o untestedOption) open(p *Opening) error {
	return errors.Join(o.plan(&p.plan), o.configure(&p.config))
}

// chooser is a dialect of several servers, which asks the one behind db and returns the dialect of that one.
type chooser interface {
	choose(ctx context.Context, db *sqlx.DB, untestedMySQL bool) (Dialect, error)
}

func chosen(ctx context.Context, db *sqlx.DB, d Dialect, untestedMySQL bool) (Dialect, error) {
	if c, ok := d.(chooser); ok {
		return c.choose(ctx, db, untestedMySQL)
	}
	return d, nil
}

// mysqlProtocol is what MySQL returns, before the server has said which it is.
type mysqlProtocol struct{ mysqlDialect }

func (p mysqlProtocol) choose(ctx context.Context, db *sqlx.DB, untestedMySQL bool) (Dialect, error) {
	var version string
	if err := db.QueryRowContext(ctx, `SELECT VERSION()`).Scan(&version); err != nil {
		return nil, failure(ctx, "ask for the server's version", err, p.classify)
	}
	server, err := mysqlServerOf(version, untestedMySQL)
	if err != nil {
		return nil, err
	}
	return mysqlDialect{p.number, server}, nil
}

var (
	mariaDBVersion = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)-MariaDB`)
	mysqlVersion   = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)`)
	mysqlLookalike = regexp.MustCompile(`(?i)tidb|vitess|oceanbase|singlestore|dolt`)
)

// mysqlServerOf returns the server that calls itself version, or why it is refused.
func mysqlServerOf(version string, untestedMySQL bool) (mysqlServer, error) {
	if found := mariaDBVersion.FindStringSubmatch(version); found != nil {
		if versionBelow(found[1:], 10, 6, 0) {
			return mysqlServer{}, fmt.Errorf("sqlbackend: the server is %q: MariaDB 10.6 or later is needed", version)
		}
		return mariaDB, nil
	}
	found := mysqlVersion.FindStringSubmatch(version)
	switch {
	case found == nil || mysqlLookalike.MatchString(version):
		return mysqlServer{}, fmt.Errorf("sqlbackend: the server is %q: MariaDB 10.6 or MySQL 8.0.20 or later is needed", version)
	case versionBelow(found[1:], 8, 0, 20):
		return mysqlServer{}, fmt.Errorf("sqlbackend: the server is %q: MySQL 8.0.20 or later is needed", version)
	case !untestedMySQL:
		return mysqlServer{}, fmt.Errorf("sqlbackend: the server is %q: this library's statements for MySQL were tested on MariaDB only, "+
			"never on a real MySQL server: to go on all the same, give the option UntestedMySQL", version)
	}
	return mysql8, nil
}

// versionBelow compares the numbers of a version, which are digits.
func versionBelow(numbers []string, least ...int) bool {
	for i, text := range numbers {
		if n, err := strconv.Atoi(text); err != nil || n != least[i] {
			return err != nil || n < least[i]
		}
	}
	return false
}

// references returns the foreign key as it stands at the migration's mark.
func (d mysqlDialect) references(k usersKey) string {
	return fmt.Sprintf("%sREFERENCES `%s` (`%s`) ON DELETE CASCADE", d.server.foreignKey, k.table, k.column)
}
