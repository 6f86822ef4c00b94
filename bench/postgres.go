package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
	idempgx "github.com/idem-go/idem/drivers/pgx"
)

var postgresTexts = texts{
	tables: []string{
		`CREATE TABLE bare (id bytea PRIMARY KEY, token bytea, fingerprint bytea, state smallint, expires_at timestamptz, answer bytea)`,
		`CREATE TABLE floor (id bytea PRIMARY KEY, fingerprint bytea, token bytea, state smallint, expires_at timestamptz, answer bytea)`,
		`CREATE TABLE effects (n integer)`,
	},
	insert: `INSERT INTO bare (id, token, fingerprint, state, expires_at) VALUES ($1, $2, $3, 1, now() + interval '1 minute')`,
	update: `UPDATE bare SET state = 2, answer = $1, expires_at = now() + interval '1 hour' WHERE id = $2`,
	find:   `SELECT fingerprint, state, answer FROM bare WHERE id = $1`,
	claim: `WITH cur AS MATERIALIZED (SELECT token, fingerprint, state, answer FROM floor WHERE id = $1 AND expires_at > now()),
made AS (INSERT INTO floor AS f (id, token, fingerprint, state, expires_at)
SELECT $1, $2, $3, 1, now() + interval '1 minute' WHERE NOT EXISTS (SELECT 1 FROM cur)
ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, token = excluded.token, state = 1, expires_at = excluded.expires_at, answer = NULL
WHERE f.expires_at <= now() RETURNING token)
SELECT token, fingerprint, state, answer FROM cur UNION ALL SELECT token, NULL, 1, NULL FROM made`,
	claimReads: true,
	claimArgs:  func(c *backend.Claim) []any { return []any{c.ID[:], c.Token[:], c.Fingerprint[:]} },
	complete:   `UPDATE floor SET state = 2, answer = $1, expires_at = now() + interval '1 hour' WHERE id = $2 AND token = $3 AND state = 1`,
	effect:     `INSERT INTO effects VALUES (1)`,
	fill: `INSERT INTO %[1]s (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
SELECT sha256((random()::text || n)::bytea), '0123456789abcdef', sha256('r') || 'v', 2, 0, 1, 1, 1, %[2]s, convert_to(repeat('x', 128), 'UTF8'), '', 'bench', 'user-' || n %% 1000, 'key-' || n
FROM generate_series(%[4]d, %[4]d + %[3]d - 1) AS n`,
	settle:  `ANALYZE %s`,
	size:    `SELECT pg_table_size('%[1]s'), pg_indexes_size('%[1]s')`,
	expired: `(1 + random() * 998)::bigint`,
	batch:   `DELETE FROM batched WHERE id IN (SELECT id FROM batched WHERE expires_at <= 1000 ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)`,
}

// openPostgres makes a schema of its own on the server that url names.
func openPostgres(ctx context.Context, url string, conns int) (*side, error) {
	parsed, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	schema := freshName()
	admin := sqlx.NewDb(stdlib.OpenDB(*parsed), "pgx")
	if _, err := admin.ExecContext(ctx, `CREATE SCHEMA `+schema); err != nil {
		return nil, err
	}
	w := &wire{}
	parsed.RuntimeParams["search_path"] = schema
	parsed.DialFunc = pgconn.DialFunc(w.around(dialer(parsed.DialFunc)))
	db := pool(sqlx.NewDb(stdlib.OpenDB(*parsed), "pgx"), conns)
	s := &side{
		name: "PostgreSQL", dialect: idempgx.Dialect(), sql: postgresTexts,
		db: db, bareDB: db, trips: w.trips.Load, bareTrips: w.trips.Load, connect: stdlib.GetConnector(*parsed),
		drop: func(ctx context.Context) error {
			_, err := admin.ExecContext(ctx, `DROP SCHEMA `+schema+` CASCADE`)
			return errors.Join(err, admin.Close())
		},
	}
	var tells bool // since version 15
	if err := admin.QueryRowContext(ctx, `SELECT to_regproc('pg_stat_force_next_flush') IS NOT NULL`).Scan(&tells); err != nil {
		return nil, err
	}
	s.counts = func(ctx context.Context) (map[string]float64, error) {
		var wal, xids float64
		counts := make(map[string]float64)
		if tells {
			if err := tell(ctx, db, conns); err != nil {
				return nil, err
			}
			var flushes float64
			if err := admin.QueryRowContext(ctx, `SELECT wal_sync FROM pg_stat_wal`).Scan(&flushes); err != nil {
				return nil, err
			}
			counts["WAL flushes"] = flushes
		}
		err := admin.QueryRowContext(ctx, `SELECT pg_current_wal_insert_lsn() - '0/0', pg_snapshot_xmax(pg_current_snapshot())::text::numeric`).Scan(&wal, &xids)
		counts["WAL bytes"], counts["transaction ids"] = wal, xids
		return counts, err
	}
	return s, s.open(ctx)
}

// tell has every connection of a pool tell the server what it has counted, which it otherwise does once in a second.
func tell(ctx context.Context, db *sqlx.DB, conns int) error {
	held := make([]*sql.Conn, 0, conns)
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	for range conns {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		held = append(held, c)
		if _, err := c.ExecContext(ctx, `SELECT pg_stat_force_next_flush()`); err != nil {
			return err
		}
	}
	return nil
}
