package sqlbackend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/idem-go/idem/backend"
)

func (d mysqlDialect) engine(s *Store) engine {
	e := &mysqlEngine{mysqlDialect: d, store: s}
	look := `SELECT ` + lookColumns + ` FROM {t} WHERE id = ? AND expires_at > {now}`
	e.lookAtOnce = e.query(d.server.atOnce + `SELECT ` + sightColumns + ` FROM {t} WHERE id = ?`)
	e.lookAfter = e.query(d.server.patiently + look + ` FOR UPDATE` + d.server.noWait)
	e.probe = e.query(d.server.atOnce + `SELECT 1 FROM {t} WHERE id = ? FOR UPDATE` + d.server.noWait)
	e.renewed = e.query(d.server.patiently + mysqlRenew)
	for _, q := range []*query{s.records.sql.takeOver, s.records.sql.abandon} {
		q.text = d.server.patiently + q.text // before anybody has prepared it
	}
	e.asks = d.server.asks(e)
	s.pool = newMysqlPool(e)
	s.records.room = e.room
	e.disk = &mysqlDisk{e: e, touch: e.query(d.server.patiently + mysqlTouch)}
	s.records.disk = e.disk
	return e
}

// query is a statement with the dialect's words for the store's table.
func (e *mysqlEngine) query(text string) *query {
	return &query{text: e.words().fill(e.store.config.table, text)}
}

var _ asker = (*mysqlEngine)(nil)

// askServer asks for what stays as it is while the server runs, or nearly so.
func (e *mysqlEngine) askServer(ctx context.Context) error {
	return e.store.db.QueryRowContext(ctx, `SELECT @@max_allowed_packet, @@innodb_rollback_on_timeout`).Scan(&e.packet, &e.rollsBack)
}

// mysqlEngine is what the servers have in common.
type mysqlEngine struct {
	mysqlDialect
	store                 *Store
	asks                  mysqlAsk
	lookAtOnce, lookAfter *query
	probe                 *query
	renewed               *query // T1 over what has expired
	packet                int64  // the most bytes that a statement may have
	rollsBack             bool   // a lock that is not had in time rolls the whole transaction back
	disk                  *mysqlDisk
}

var errRollsBack = errors.New("innodb_rollback_on_timeout is ON: a claim that finds its duplicate in flight would roll the whole transaction back, " +
	"and what the caller writes after it would be in none: switch it off")

func (e *mysqlEngine) mayJoin() error {
	if e.rollsBack {
		return errRollsBack
	}
	return nil
}

// overhead is more than a statement has beside an answer.
const overhead = 4 << 10

// room refuses what the server would, which answers a statement beyond max_allowed_packet by closing the connection,
// with the transaction that is open on it, and mostly without a word.
func (e *mysqlEngine) room(size int) error {
	if int64(size)+overhead > e.packet {
		return fmt.Errorf("%w: max_allowed_packet was %d when the store was opened", backend.ErrTooLarge, e.packet)
	}
	return nil
}

// inTx looks through the pool first: a replay then costs one statement, and no lock. At READ COMMITTED a claim locks
// its own row and no gap beside it.
func (e *mysqlEngine) inTx(ctx context.Context, c backend.Claim, run txFunc) (backend.Grant, error) {
	if err := e.mayJoin(); err != nil {
		return e.store.result(ctx, "begin", backend.Grant{}, err)
	}
	var m move
	g, err := e.lasting(ctx, func() (g backend.Grant, err error) {
		m, g, err = e.store.lookFirst(ctx, &c, append(e.asks.needed(), e.store.records.sql.complete)...)
		return g, err
	})
	switch {
	case err != nil:
		return e.store.result(ctx, "begin", g, err)
	case m == stay && g.Verdict != backend.Claimed:
		return g, nil
	case m == abandon: // a transaction that is then rolled back would leave it abandoned
		return e.store.Begin(ctx, c)
	}
	level := max(e.store.config.isolation, sql.LevelReadCommitted)
	var seen sight
	g, err = e.store.claimAndRun(ctx, &sql.TxOptions{Isolation: level}, func(ctx context.Context, on session) (_ backend.Grant, err error) {
		seen, err = e.claim(ctx, on, &c, mysqlWay{})
		return seen.grant, err
	}, run)
	switch {
	case err != nil:
		return g, err
	case g.Verdict == backend.Claimed:
		e.disk.add(c.Token)
		return g, nil
	}
	if g, err = e.told(ctx, e.store.pool, &c, seen, nil); errors.Is(err, errGone) {
		return e.inTx(ctx, c, run) // nothing has run
	}
	return e.store.result(ctx, "begin", g, err)
}

// settle locks the record, which waits for a transaction that has written it and has not ended. COMMIT was sent after
// the claim, so a transaction that can still commit has its row there.
func (e *mysqlEngine) settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	if _, err := e.lookAfter.prepare(ctx, e.store.db); err != nil {
		return backend.Grant{}, err
	}
	return e.lasting(ctx, func() (backend.Grant, error) {
		seen, err := e.lookLocked(ctx, id)
		if err != nil {
			return backend.Grant{}, err
		}
		return e.store.records.settledAs(ctx, e.store.pool, id, token, seen)
	})
}

// lookLocked looks once it has the record locked, however long that takes.
func (e *mysqlEngine) lookLocked(ctx context.Context, id backend.ID) (*row, error) {
	for round := 0; ; round++ {
		seen, err := e.tryLocked(ctx, id)
		if class := e.classify(err); err == nil || class != busy && class != conflict {
			return seen, err
		}
		if err := pause(ctx, round); err != nil {
			return nil, err
		}
	}
}

func (e *mysqlEngine) tryLocked(ctx context.Context, id backend.ID) (*row, error) {
	tx, err := e.store.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // it has only read
	return e.store.records.lookBy(ctx, within{tx}, e.lookAfter, id)
}

// write tries again after a deadlock or a lock that was not had in time.
func (e *mysqlEngine) write(ctx context.Context, op func(context.Context, session) error) (err error) {
	for round := range rounds {
		err = op(ctx, e.store.pool)
		if class := e.classify(err); err == nil || class != conflict && class != busy {
			return err
		}
		if err := pause(ctx, round); err != nil {
			return err
		}
	}
	return err
}

// find is write: with innodb_snapshot_isolation, or where a read locks, the server may roll one back too.
func (e *mysqlEngine) find(ctx context.Context, op func(context.Context, session) error) error {
	return e.write(ctx, op)
}

func (e *mysqlEngine) span(ctx context.Context, from []byte, rows int) (to []byte, last bool, err error) {
	return e.store.spanByID(ctx, from, rows)
}
