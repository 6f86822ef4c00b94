package sqlbackend

import (
	"context"
	"database/sql/driver"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// inTx answers what it can without the writer. Only where the claim may be won does it queue for it, and for as long
// as it is queued or runs, duplicates in this process are told at once that it is in flight.
func (e *sqliteEngine) inTx(ctx context.Context, c backend.Claim, run txFunc) (backend.Grant, error) {
	if g, taken := e.running.other(&c); taken {
		return g, nil
	}
	m, g, err := e.store.lookFirst(ctx, &c, e.store.records.sql.claim, e.store.records.sql.complete)
	switch {
	case err != nil:
		return e.store.result(ctx, "begin", g, err)
	case m == stay && g.Verdict != backend.Claimed: // claimed under this very token it is still to be run
		return g, nil
	case m == abandon: // a transaction that is then rolled back would leave it abandoned
		return e.store.Begin(ctx, c)
	}
	leave, g := e.running.enter(&c)
	if leave == nil {
		return g, nil
	}
	defer leave()
	release, err := e.writer.enter(ctx)
	if err != nil {
		return backend.Grant{}, failure(ctx, "begin", err, e.classify)
	}
	defer release()
	ctx, over := e.writer.lend(ctx)
	defer over()
	return e.store.claimAndRun(ctx, nil, func(ctx context.Context, on session) (backend.Grant, error) {
		return e.beginIn(ctx, on, c)
	}, run)
}

// settle takes the writer: then no transaction is open that could still commit.
func (e *sqliteEngine) settle(ctx context.Context, id backend.ID, token backend.Token) (g backend.Grant, err error) {
	leave, err := e.writer.enter(ctx)
	if err != nil {
		return backend.Grant{}, err
	}
	defer leave()
	err = e.alone(ctx, e.store.db, func(ctx context.Context, on *sqlx.Conn) error {
		g, err = e.store.records.settled(ctx, direct{on}, id, token)
		return err
	})
	return g, err
}

// alone holds SQLite's write lock while f runs.
func (d sqliteDialect) alone(ctx context.Context, db *sqlx.DB, f func(context.Context, *sqlx.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := d.patiently(ctx, conn, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			abort(ctx, conn)
		}
	}()
	if err := f(ctx, conn); err != nil {
		return err
	}
	err = d.patiently(ctx, conn, "COMMIT")
	committed = err == nil
	return err
}

// patiently runs text again for as long as another holds the lock, also past busy_timeout, until ctx ends.
func (d sqliteDialect) patiently(ctx context.Context, conn *sqlx.Conn, text string) error {
	for {
		_, err := conn.ExecContext(ctx, text)
		if err == nil || d.classify(err) != busy {
			return err
		}
		if err := rest(ctx, time.Millisecond+rand.N(20*time.Millisecond)); err != nil {
			return err
		}
	}
}

// abort rolls back. Where even that fails the connection must not go back to the pool with a transaction open.
func abort(ctx context.Context, conn *sqlx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// The result codes of https://www.sqlite.org/rescode.html that mean something here.
const (
	sqliteBusy           = 5
	sqliteLocked         = 6
	sqliteTooBig         = 18
	sqliteConstraint     = 19
	sqliteBusySnapshot   = sqliteBusy | 2<<8
	sqliteConstraintFKey = sqliteConstraint | 3<<8
	sqlitePrimaryCode    = 0xff
)

func (d sqliteDialect) classify(err error) class {
	code, ok := d.code(err)
	if !ok {
		return unclassified
	}
	switch code {
	case sqliteBusySnapshot: // it read what another has changed since: waiting would not help
		return conflict
	case sqliteConstraintFKey:
		return missingKey
	}
	switch code & sqlitePrimaryCode {
	case sqliteBusy, sqliteLocked:
		return busy
	case sqliteConstraint:
		return refused
	case sqliteTooBig:
		return tooLarge
	}
	return unclassified
}
