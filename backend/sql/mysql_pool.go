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
type mysqlSweep struct {
	whole  mysqlStep
	due    *query
	single mysqlStep
}

// mysqlStep is a statement that does not wait for a lock: it does not by itself, or what is due is locked before by another
// one that does not. A row that falls due between the two is the only one that it may wait for.
type mysqlStep struct{ lock, do *query }

func newMysqlPool(e *mysqlEngine) mysqlPool {
	p := mysqlPool{pool: pool{e.store.db}, e: e, sweeps: make(map[*query]mysqlSweep)}
	s := e.store.records.sql
	for _, q := range []*query{s.pruneExpired, s.pruneAbandoned} {
		_, due, _ := strings.Cut(q.text, "WHERE ")
		one := strings.NewReplacer(e.words().within, "id = ?")
		p.sweeps[q] = mysqlSweep{
			whole:  e.step(q.text, due),
			due:    e.query(`SELECT id FROM {t} WHERE ` + due),
			single: e.step(one.Replace(q.text), one.Replace(due)),
		}
	}
	// What is to be forgotten must go: a row that is locked is waited for.
	for _, q := range []*query{s.forgetOwnExpired, s.forgetOwn} {
		p.sweeps[q] = mysqlSweep{whole: mysqlStep{do: e.query(e.server.patiently + q.text)}}
	}
	return p
}

func (e *mysqlEngine) step(text, due string) mysqlStep {
	if e.server.noWait == "" {
		return mysqlStep{do: e.query(e.server.atOnce + text)}
	}
	return mysqlStep{lock: e.query(`SELECT COUNT(*) FROM {t} WHERE ` + due + ` FOR UPDATE` + e.server.noWait), do: e.query(text)}
}

func (p mysqlPool) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	sweep, ok := p.sweeps[q]
	if !ok {
		return p.pool.exec(ctx, q, args...)
	}
	n, err := p.step(ctx, sweep.whole, args...)
	if sweep.single.do == nil || p.e.classify(err) != busy {
		return n, err
	}
	return p.eachDue(ctx, sweep, args)
}

// step runs s in a transaction at READ COMMITTED.
func (p mysqlPool) step(ctx context.Context, s mysqlStep, args ...any) (int64, error) {
	for _, q := range []*query{s.lock, s.do} {
		if q == nil {
			continue
		}
		if _, err := q.prepare(ctx, p.db); err != nil {
			return 0, err
		}
	}
	tx, err := p.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // after the commit it does nothing, and before it err says what happened
	if s.lock != nil {
		rows, err := within{tx}.query(ctx, s.lock, args...)
		if err := one(rows, err, func(scanner) error { return nil }); err != nil {
			return 0, err
		}
	}
	n, err := within{tx}.exec(ctx, s.do, args...)
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
		changed, err := p.only(ctx, s.single, id)
		if err != nil && p.e.classify(err) != busy && p.e.classify(err) != conflict {
			return n, err
		}
		n += changed
	}
	return n, nil
}

// only runs s on a row, which needs no transaction where it is one statement.
func (p mysqlPool) only(ctx context.Context, s mysqlStep, id []byte) (int64, error) {
	if s.lock == nil {
		return p.pool.exec(ctx, s.do, id)
	}
	return p.step(ctx, s, id)
}
