package sqlbackend

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/idem-go/idem/backend"
)

// mysqlClaim claims what is absent, in one statement, and changes nothing else: {same} sets a column to what it is, so that
// nothing is logged. What it did each server tells in a way of its own: affected rows could not, since what they count
// depends on the data source name. What has expired and what was abandoned it leaves as it is: that a second statement
// writes over those costs a round trip more, once in the life of a key, and saves every call half of the server's work.
const mysqlClaim = `INSERT INTO {t}
(id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
VALUES (?, ?, ?, 1, ?, {first}, {now}, {now} + ?, CASE WHEN ? = 1 THEN {never} ELSE {now} + ? END, NULL, '', ?, ?, ?)
ON DUPLICATE KEY UPDATE {same}`

// mysqlClaimText is mysqlClaim with the first attempt, and the assignment that changes nothing.
func mysqlClaimText(first, same string) string {
	return strings.NewReplacer("{first}", first, "{same}", same).Replace(mysqlClaim)
}

// mysqlRenew is T1 over what has expired, under the token that was seen.
const mysqlRenew = `UPDATE {t} SET token = ?, fingerprint = ?, state = 1, hold = ?, attempt = 1, since = {now}, lease_until = {now} + ?,
expires_at = CASE WHEN ? = 1 THEN {never} ELSE {now} + ? END, answer = NULL, note = '', guard_name = ?, user_name = ?, key_text = ?
WHERE id = ? AND token = ? AND expires_at <= {now}`

// sightColumns are what a sight is read from. The id is there because an upsert takes any unique index for the key.
const sightColumns = lookColumns + `, id`

var errOtherRow = errors.New("the claim met another record: the table has a unique index beside its primary key, which must be dropped")

// sight is what a claim found, or left, and what Begin's rules make of that.
type sight struct {
	there bool   // there is a row, though it may have expired
	token []byte // of the row, whatever it is
	row   *row   // nil where it is absent to every rule
	move  move
	grant backend.Grant
}

// mysqlAsk claims what is absent, and says what is there then. Where it did not get a lock in time, its error is of the
// class busy.
type mysqlAsk interface {
	ask(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (sight, error)

	// needed are the statements that it sends in a transaction that begins with it.
	needed() []*query
}

// mysqlWay is how to claim: alone is in autocommit, and patient is to wait for a lock, for a moment.
type mysqlWay struct{ alone, patient bool }

// begin waits for a record that an open transaction has claimed, for a moment.
func (e *mysqlEngine) begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	return e.lasting(ctx, func() (backend.Grant, error) {
		seen, err := e.claim(ctx, e.store.pool, &c, mysqlWay{alone: true, patient: true})
		return e.told(ctx, e.store.pool, &c, seen, err)
	})
}

// beginIn looks first, so that what only reads locks nothing for the rest of the caller's transaction, and then never
// waits: a duplicate that is not committed yet is in flight.
func (e *mysqlEngine) beginIn(ctx context.Context, on session, c backend.Claim) (backend.Grant, error) {
	if err := e.mayJoin(); err != nil {
		return backend.Grant{}, err
	}
	seen, err := e.see(ctx, on, &c)
	if err == nil && !seen.stands() {
		seen, err = e.claim(ctx, on, &c, mysqlWay{})
	}
	return e.told(ctx, on, &c, seen, err)
}

// claim asks until it is answered. Where it finds a row locked, what is committed decides, and where that does not
// stand in the way, whether it is this record that is locked: that is a duplicate that is not committed yet. Otherwise
// it is the user's row, which the foreign key locks, and only patience helps. After a deadlock it goes on only alone:
// otherwise a whole transaction has ended.
func (e *mysqlEngine) claim(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (sight, error) {
	last := errRounds
	for round := range rounds {
		seen, won, err := e.attempt(ctx, on, c, how)
		switch what := e.classify(err); {
		case won:
			return seen, nil
		case what == busy:
			seen, err := e.see(ctx, on, c)
			if seen.stands() || err != nil {
				return seen, err
			}
			locked, err := e.locked(ctx, on, c.ID)
			switch {
			case err != nil:
				return sight{}, err
			case !locked:
				how.patient = true
			case round > 0:
				return sight{grant: unseen(c)}, nil
			}
		case err != nil && !(how.alone && what == conflict):
			return sight{}, err
		}
		if err != nil {
			last = err
		}
		if err := pause(ctx, round); err != nil {
			return sight{}, err
		}
	}
	return sight{}, last
}

// attempt asks once and makes the move that is left to make. It reports whether the grant holds: not where somebody else
// came between.
func (e *mysqlEngine) attempt(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (seen sight, won bool, err error) {
	seen, err = e.asks.ask(ctx, on, c, how)
	if err != nil || !seen.there {
		return seen, false, err
	}
	won, err = e.writeOver(ctx, on, c, &seen)
	return seen, won, e.discreet(err)
}

// writeOver makes a move on a row that was seen, under its token.
func (e *mysqlEngine) writeOver(ctx context.Context, on session, c *backend.Claim, seen *sight) (bool, error) {
	if seen.move != claim {
		return e.store.records.try(ctx, on, seen.move, c, seen.row)
	}
	guard, user, key := e.store.records.names(c)
	lease := milliseconds(c.Lease)
	return changed(on.exec(ctx, e.renewed, c.Token[:], c.Fingerprint[:], number(c.Hold), lease, number(c.Hold),
		lease+milliseconds(c.Retention), guard, user, key, c.ID[:], seen.token))
}

// see decides by what is committed, or what this transaction wrote. Where even that is locked, which reading is only
// at SERIALIZABLE, it says that there is nothing.
func (e *mysqlEngine) see(ctx context.Context, on session, c *backend.Claim) (sight, error) {
	rows, err := on.query(ctx, e.lookAtOnce, c.ID[:])
	seen, err := e.read(rows, err, c)
	if e.classify(err) == busy {
		return sight{}, nil
	}
	return seen, err
}

// stands reports whether nothing is left to write.
func (s *sight) stands() bool { return s.there && s.move == stay }

// read reads sightColumns.
func (e *mysqlEngine) read(rows *sql.Rows, err error, c *backend.Claim) (seen sight, _ error) {
	err = one(rows, err, func(s scanner) (err error) {
		var r rawRow
		var id sql.RawBytes
		if err := s.Scan(&r.token, &r.fingerprint, &r.state, &r.hold, &r.attempt, &r.age, &r.left, &r.expiry, &r.answer, &id); err != nil {
			return err
		}
		if !bytes.Equal(id, c.ID[:]) {
			return errOtherRow
		}
		seen.there, seen.token = true, r.token
		if r.expiry > 0 {
			if seen.row, err = r.row(); err != nil {
				return err
			}
		}
		seen.move, seen.grant = decide(seen.row, c)
		return nil
	})
	if err != nil {
		return sight{}, e.discreet(err)
	}
	return seen, nil
}

// locked reports whether another transaction has the record, committed or not.
func (e *mysqlEngine) locked(ctx context.Context, on session, id backend.ID) (bool, error) {
	rows, err := on.query(ctx, e.probe, id[:])
	err = one(rows, err, func(scanner) error { return nil })
	if e.classify(err) == busy {
		return true, nil
	}
	return false, err
}

// discreet leaves out what the server repeats of a refused value, which may be a key or a user.
func (e *mysqlEngine) discreet(err error) error {
	switch code, _ := e.number(err); code {
	case mysqlDuplicate, mysqlBadValue, mysqlBadLiteral, mysqlBadString:
		return fmt.Errorf("the server refused a value of the claim with error %d", code)
	}
	return err
}
