package sqlbackend

import (
	"context"
	"database/sql"
	"strings"
)

// mysqlPool is the pool, which runs what sweeps a span of the table at READ COMMITTED, whatever the connections have:
// at the server's default a span is locked with the gaps in it, into which nobody could claim meanwhile.
type mysqlPool struct {
	pool
	e      *mysqlEngine
	sweeps map[*query]mysqlSweep
}

// mysqlSweep is how a statement on a span is run: whole, or where a row of it is locked, for each row that is due.
type mysqlSweep struct{ whole, due, single *query }

func newMysqlPool(e *mysqlEngine) mysqlPool {
	p := mysqlPool{pool: pool{e.store.db}, e: e, sweeps: make(map[*query]mysqlSweep)}
	s := e.store.records.sql
	for _, q := range []*query{s.pruneExpired, s.pruneAbandoned} {
		_, due, _ := strings.Cut(q.text, "WHERE ")
		p.sweeps[q] = mysqlSweep{
			whole:  &query{text: atOnce + q.text},
			due:    &query{text: e.words().fill(e.store.config.table, `SELECT id FROM {t} WHERE `) + due},
			single: &query{text: atOnce + strings.Replace(q.text, e.words().within, "id = ?", 1)},
		}
	}
	// What is to be forgotten must go: a row that is locked is waited for.
	for _, q := range []*query{s.forgetOwnExpired, s.forgetOwn} {
		p.sweeps[q] = mysqlSweep{whole: &query{text: patiently + q.text}}
	}
	return p
}

func (p mysqlPool) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	sweep, ok := p.sweeps[q]
	if !ok {
		return p.pool.exec(ctx, q, args...)
	}
	n, err := p.whole(ctx, sweep.whole, args)
	if sweep.single == nil || p.e.classify(err) != busy {
		return n, err
	}
	return p.eachDue(ctx, sweep, args)
}

func (p mysqlPool) whole(ctx context.Context, q *query, args []any) (int64, error) {
	if _, err := q.prepare(ctx, p.db); err != nil {
		return 0, err
	}
	tx, err := p.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // after the commit it does nothing, and before it err says what happened
	n, err := within{tx}.exec(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	return n, tx.Commit()
}

// eachDue leaves a row that is locked to the next walk: to wait for it would make others wait for this sweep.
func (p mysqlPool) eachDue(ctx context.Context, s mysqlSweep, args []any) (n int64, err error) {
	var due [][]byte
	rows, err := p.pool.query(ctx, s.due, args...)
	err = each(rows, err, func(row scanner) error {
		var id []byte
		err := row.Scan(&id)
		due = append(due, id)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, id := range due {
		changed, err := p.pool.exec(ctx, s.single, id)
		if err != nil && p.e.classify(err) != busy && p.e.classify(err) != conflict {
			return n, err
		}
		n += changed
	}
	return n, nil
}
