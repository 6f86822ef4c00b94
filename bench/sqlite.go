package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"path/filepath"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
	idemsqlite "github.com/idem-go/idem/drivers/sqlite"
)

var sqliteTexts = texts{
	tables: []string{
		`CREATE TABLE bare (id BLOB NOT NULL PRIMARY KEY, token BLOB, fingerprint BLOB, state INTEGER, expires_at INTEGER, answer BLOB)`,
		`CREATE TABLE floor (id BLOB NOT NULL PRIMARY KEY, token BLOB, fingerprint BLOB, state INTEGER, expires_at INTEGER, answer BLOB)`,
		`CREATE TABLE effects (n INTEGER)`,
	},
	insert: `INSERT INTO bare (id, token, fingerprint, state, expires_at) VALUES (?, ?, ?, 1, 9999999999999)`,
	update: `UPDATE bare SET state = 2, answer = ?, expires_at = 9999999999999 WHERE id = ?`,
	find:   `SELECT fingerprint, state, answer FROM bare WHERE id = ?`,
	look:   `SELECT fingerprint, state, answer FROM floor WHERE id = ? AND expires_at > unixepoch('subsec') * 1000`,
	claim: `INSERT INTO floor AS f (id, token, fingerprint, state, expires_at) VALUES (?, ?, ?, 1, unixepoch('subsec') * 1000 + 60000)
ON CONFLICT (id) DO UPDATE SET token = excluded.token, fingerprint = excluded.fingerprint, state = 1, expires_at = excluded.expires_at, answer = NULL
WHERE f.expires_at <= unixepoch('subsec') * 1000`,
	claimArgs: func(c *backend.Claim) []any { return []any{c.ID[:], c.Token[:], c.Fingerprint[:]} },
	complete:  `UPDATE floor SET state = 2, answer = ?, expires_at = unixepoch('subsec') * 1000 + 3600000 WHERE id = ? AND token = ? AND state = 1`,
	effect:    `INSERT INTO effects VALUES (1)`,
	fill: `INSERT INTO %[1]s (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
WITH RECURSIVE s (n) AS (SELECT %[4]d UNION ALL SELECT n + 1 FROM s LIMIT %[3]d)
SELECT randomblob(32), randomblob(16), randomblob(33), 2, 0, 1, 1, 1, %[2]s, randomblob(128), '', 'bench', 'user-' || n %% 1000, 'key-' || n FROM s`,
	size:    `SELECT (SELECT sum(pgsize) FROM dbstat WHERE name = '%[1]s'), (SELECT sum(pgsize) FROM dbstat WHERE name = 'sqlite_autoindex_%[1]s_1')`,
	expired: `1 + abs(random()) % 998`,
	batch:   `DELETE FROM batched WHERE id IN (SELECT id FROM batched WHERE expires_at <= 1000 ORDER BY expires_at LIMIT 1000)`,
}

// openSQLite makes a file of its own in dir. mode is the pragma synchronous.
func openSQLite(ctx context.Context, dir, mode string, conns int) (*side, error) {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(WAL)", "busy_timeout(60000)", "synchronous(" + mode + ")"}}
	connect := namedConnector{name: "file:" + filepath.ToSlash(filepath.Join(dir, freshName()+".db")) + "?" + query.Encode()}
	opened, err := sql.Open("sqlite", connect.name)
	if err != nil {
		return nil, err
	}
	connect.by = opened.Driver()
	db := pool(sqlx.NewDb(opened, "sqlite"), min(conns, 8))
	s := &side{
		name: "SQLite " + mode, dialect: idemsqlite.Dialect(), sql: sqliteTexts, prepared: true,
		db: db, bareDB: db, connect: connect,
	}
	return s, s.open(ctx)
}

// namedConnector is a connector of a driver that has none.
type namedConnector struct {
	name string
	by   driver.Driver
}

func (c namedConnector) Connect(context.Context) (driver.Conn, error) { return c.by.Open(c.name) }
func (c namedConnector) Driver() driver.Driver                        { return c.by }
