package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"net/url"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
	idemmysql "github.com/idem-go/idem/drivers/mysql"
)

const floorIsOver = `expires_at <= UTC_TIMESTAMP(6)`

var mariadbTexts = texts{
	tables: []string{
		`CREATE TABLE bare (id BINARY(32) PRIMARY KEY, token BINARY(16), fingerprint VARBINARY(33), state TINYINT, expires_at DATETIME(6), answer LONGBLOB) ENGINE = InnoDB`,
		`CREATE TABLE floor (id BINARY(32) PRIMARY KEY, token BINARY(16), fingerprint VARBINARY(33), state TINYINT, expires_at DATETIME(6), answer LONGBLOB) ENGINE = InnoDB`,
		`CREATE TABLE effects (n INT) ENGINE = InnoDB`,
	},
	insert: `INSERT INTO bare (id, token, fingerprint, state, expires_at) VALUES (?, ?, ?, 1, UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE)`,
	update: `UPDATE bare SET state = 2, answer = ?, expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE id = ?`,
	find:   `SELECT fingerprint, state, answer FROM bare WHERE id = ?`,
	claim: `INSERT INTO floor (id, token, fingerprint, state, expires_at) VALUES (?, ?, ?, 1, UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE)
ON DUPLICATE KEY UPDATE fingerprint = IF(` + floorIsOver + `, VALUES(fingerprint), fingerprint), token = IF(` + floorIsOver + `, VALUES(token), token),
state = IF(` + floorIsOver + `, 1, state), answer = IF(` + floorIsOver + `, NULL, answer), expires_at = IF(` + floorIsOver + `, VALUES(expires_at), expires_at)
RETURNING token, fingerprint, state, answer`,
	claimReads: true,
	claimArgs:  func(c *backend.Claim) []any { return []any{c.ID[:], c.Token[:], c.Fingerprint[:]} },
	complete:   `UPDATE floor SET state = 2, answer = ?, expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE id = ? AND token = ? AND state = 1`,
	effect:     `INSERT INTO effects VALUES (1)`,
	fill: `INSERT INTO %[1]s (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
SELECT UNHEX(SHA2(CONCAT(RAND(), '-', seq + %[4]d), 256)), '0123456789abcdef', CONCAT(UNHEX(SHA2('r', 256)), 'v'), 2, 0, 1, 1, 1, %[2]s, REPEAT('x', 128), '', 'bench', CONCAT('user-', seq %% 1000), CONCAT('key-', seq)
FROM seq_1_to_50000 LIMIT %[3]d`,
	expired: `1 + FLOOR(RAND() * 998)`,
	size:    `SELECT data_length, index_length FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '%[1]s'`,
	batch:   `DELETE FROM batched WHERE expires_at <= 1000 ORDER BY expires_at LIMIT 1000`,
}

// openMariaDB makes a database of its own on the server that address names.
func openMariaDB(ctx context.Context, address string, conns int) (*side, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User = "tcp", u.Host, u.User.Username()
	c.Passwd, _ = u.User.Password()
	admin, err := sqlx.Open("mysql", c.FormatDSN())
	if err != nil {
		return nil, err
	}
	c.DBName = freshName()
	if _, err := admin.ExecContext(ctx, `CREATE DATABASE `+c.DBName); err != nil {
		return nil, err
	}
	c.Params = map[string]string{"tx_isolation": "'READ-COMMITTED'"}
	mine, err := wiredMySQL(c, false)
	if err != nil {
		return nil, err
	}
	hand, err := wiredMySQL(c, true)
	if err != nil {
		return nil, err
	}
	s := &side{
		name: "MariaDB", dialect: idemmysql.Dialect(), sql: mariadbTexts, prepared: true,
		db: pool(sqlx.NewDb(sql.OpenDB(mine), "mysql"), conns), trips: mine.trips.Load, connect: mine,
		bareDB: pool(sqlx.NewDb(sql.OpenDB(hand), "mysql"), conns), bareTrips: hand.trips.Load,
		drop: func(ctx context.Context) error {
			_, err := admin.ExecContext(ctx, `DROP DATABASE `+c.DBName)
			return errors.Join(err, admin.Close())
		},
	}
	s.counts = func(ctx context.Context) (map[string]float64, error) {
		var bytes, commits float64 // since 10.8 nothing counts flushes: each commit asks for one
		for name, value := range map[string]*float64{"Innodb_os_log_written": &bytes, "Handler_commit": &commits} {
			if err := admin.QueryRowContext(ctx, `SHOW GLOBAL STATUS LIKE '`+name+`'`).Scan(&name, value); err != nil {
				return nil, err
			}
		}
		return map[string]float64{"log bytes": bytes, "commits": commits}, nil
	}
	return s, s.open(ctx)
}

// wiredConnector is a connector whose connections' round trips are counted.
type wiredConnector struct {
	driver.Connector
	wire
}

// wiredMySQL is go-sql-driver's connector, interpolating or not.
func wiredMySQL(c *mysql.Config, interpolates bool) (*wiredConnector, error) {
	c = c.Clone()
	c.InterpolateParams = interpolates
	w := &wiredConnector{}
	c.DialFunc = w.around((&net.Dialer{}).DialContext)
	var err error
	w.Connector, err = mysql.NewConnector(c)
	return w, err
}
