package sqlbackend

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// session is where statements run: the pool, each in autocommit, or one transaction.
type session interface {
	// exec runs q and returns how many rows it changed.
	exec(ctx context.Context, q *query, args ...any) (int64, error)

	// run is exec for who wants another number of the answer.
	run(ctx context.Context, q *query, args ...any) (sql.Result, error)

	// query runs q, which reads, for one or each to scan.
	query(ctx context.Context, q *query, args ...any) (*sql.Rows, error)
}

// query is a statement of one store. It is prepared at its first use on the pool and then kept, which makes SQLite
// twice as fast and saves go-sql-driver a round trip.
type query struct {
	text string
	kept atomic.Pointer[sql.Stmt]
}

func (q *query) prepare(ctx context.Context, db *sqlx.DB) (*sql.Stmt, error) {
	if s := q.kept.Load(); s != nil {
		return s, nil
	}
	s, err := db.PrepareContext(ctx, q.text)
	if err != nil {
		return nil, err
	}
	if q.kept.CompareAndSwap(nil, s) {
		return s, nil
	}
	_ = s.Close() // another goroutine was first
	return q.kept.Load(), nil
}

type pool struct{ db *sqlx.DB }

func (p pool) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	return affected(p.run(ctx, q, args...))
}

func (p pool) run(ctx context.Context, q *query, args ...any) (sql.Result, error) {
	s, err := q.prepare(ctx, p.db)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (p pool) query(ctx context.Context, q *query, args ...any) (*sql.Rows, error) {
	s, err := q.prepare(ctx, p.db)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// within is a session in a transaction. It uses a statement that the pool has prepared, and never prepares one through
// the pool: where the pool has one connection, the transaction holds it.
type within struct{ tx *sqlx.Tx }

func (w within) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	return affected(w.run(ctx, q, args...))
}

func (w within) run(ctx context.Context, q *query, args ...any) (sql.Result, error) {
	if s := q.kept.Load(); s != nil {
		res, err := w.tx.Tx.StmtContext(ctx, s).ExecContext(ctx, args...)
		if !foreign(err) {
			return res, err
		}
	}
	return w.tx.ExecContext(ctx, q.text, args...)
}

func (w within) query(ctx context.Context, q *query, args ...any) (*sql.Rows, error) {
	if s := q.kept.Load(); s != nil {
		rows, err := w.tx.Tx.StmtContext(ctx, s).QueryContext(ctx, args...)
		if !foreign(err) {
			return rows, err
		}
	}
	return w.tx.QueryContext(ctx, q.text, args...)
}

// foreign reports whether a statement was refused, before anything was sent, because the transaction belongs to another
// pool on the same database. database/sql has no name for that.
func foreign(err error) bool {
	return err != nil && err.Error() == "sql: Tx.Stmt: statement from different database used"
}

// direct is a session on one connection.
type direct struct{ on *sqlx.Conn }

func (d direct) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	return affected(d.run(ctx, q, args...))
}

func (d direct) run(ctx context.Context, q *query, args ...any) (sql.Result, error) {
	return d.on.ExecContext(ctx, q.text, args...)
}

func (d direct) query(ctx context.Context, q *query, args ...any) (*sql.Rows, error) {
	return d.on.QueryContext(ctx, q.text, args...)
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// scanner is a row that was read.
type scanner interface{ Scan(dest ...any) error }

// one scans the first row, if there is one, and leaves the rest unread: to find out that there is no second would cost
// a look a tenth of its time.
func one(rows *sql.Rows, err error, scan func(scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return rows.Err()
	}
	if err := scan(rows); err != nil {
		return err
	}
	return rows.Close()
}

// each scans all rows.
func each(rows *sql.Rows, err error, scan func(scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
