package sqlbackend

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// inTx takes five round trips where run takes one: BEGIN, claim, run, complete, COMMIT. What is not claimed takes three.
func (e *postgresEngine) inTx(ctx context.Context, c backend.Claim, run txFunc) (backend.Grant, error) {
	if err := e.prepare(ctx); err != nil {
		return backend.Grant{}, failure(ctx, "begin", err, e.classify)
	}
	abandoned := false
	g, err := e.store.claimAndRun(ctx, e.options(), func(ctx context.Context, on session) (g backend.Grant, err error) {
		g, made, err := e.claimIn(ctx, on, &c)
		abandoned = made == abandon
		return g, err
	}, run)
	if err == nil && abandoned {
		err = failure(ctx, "begin", e.abandon(ctx, &c), e.classify)
	}
	return g, err
}

// options names the isolation whatever the server's default is: at a higher one the loser of a race would be told of a
// conflict instead of the winner.
func (e *postgresEngine) options() *sql.TxOptions {
	if level := e.store.config.isolation; level != sql.LevelDefault {
		return &sql.TxOptions{Isolation: level}
	}
	return readCommitted
}

var readCommitted = &sql.TxOptions{Isolation: sql.LevelReadCommitted}

// prepare prepares on the pool what a transaction will need: inside it may have the only connection.
func (e *postgresEngine) prepare(ctx context.Context) error {
	if !e.driver.Prepare {
		return nil
	}
	for _, q := range []*query{e.claimGated, e.store.records.sql.complete} {
		if _, err := q.prepare(ctx, e.store.db); err != nil {
			return err
		}
	}
	return nil
}

// abandon makes T3 again, which a transaction that was then rolled back has made for nobody.
func (e *postgresEngine) abandon(ctx context.Context, c *backend.Claim) error {
	return e.write(ctx, func(ctx context.Context, on session) error {
		seen, err := e.store.records.look(ctx, on, c.ID)
		if err != nil {
			return err
		}
		if m, _ := decide(seen, c); m == abandon {
			_, err = e.store.records.try(ctx, on, m, c, seen)
		}
		return err
	})
}

// settle waits for the record's gate, which the transaction in question has for as long as it is open, and then reads in
// a statement of its own, which sees what that one has committed.
func (e *postgresEngine) settle(ctx context.Context, id backend.ID, token backend.Token) (g backend.Grant, err error) {
	err = e.store.transact(ctx, readCommitted, func(tx *sqlx.Tx) error {
		if _, err := (within{tx}).exec(ctx, e.wait, gate(id)); err != nil {
			return err
		}
		if g, err = e.store.records.settled(ctx, within{tx}, id, token); err != nil {
			return err
		}
		return errNotRun // there is nothing to commit
	})
	if errors.Is(err, errNotRun) {
		err = nil
	}
	return g, err
}

// alone runs f in a transaction that has the migrations' lock.
func (d postgresDialect) alone(ctx context.Context, db *sqlx.DB, f func(context.Context, *sqlx.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			abort(ctx, conn)
		}
	}()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1::bigint)`, lockNumber("idem/migrate/v1")); err != nil {
		return err
	}
	if err := f(ctx, conn); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `COMMIT`)
	committed = err == nil
	return err
}

// waitForGate is how settle waits for a record's gate.
const waitForGate = `SELECT pg_advisory_xact_lock($1::bigint # ` + tableNumber + `)`

// gate returns the record's part of its lock's number.
func gate(id backend.ID) int64 { return lockNumber("idem/gate/v1", string(id[:])) }

// lockNumber is the number of an advisory lock, which no application takes by chance.
func lockNumber(parts ...string) int64 {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return int64(binary.BigEndian.Uint64(h.Sum(nil)))
}
