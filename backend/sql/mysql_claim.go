package sqlbackend

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/idem-go/idem/backend"
)

// mysqlClaim makes the move that Begin's rules ask for, or none, in one statement. What it did each server tells in a way
// of its own: affected rows could not, since what they count depends on the data source name.
//
// The assignments run from left to right, unless the session has MariaDB's SIMULTANEOUS_ASSIGNMENT, so each condition must
// hold with the columns as they were and as the assignments before it left them. What a takeover and a new record have
// changed is told by claimant, which is assigned first and differs from token only until token is assigned, last. A
// record that was abandoned is told by its state. Where no condition holds, no column changes, and nothing is logged.
//
// MySQL would rather have VALUES(…) written with an alias of the row, which MariaDB does not know. All of MySQL 8 and 9
// take VALUES, and a statement that the tests can run is worth more than one without a warning.
const mysqlClaim = `INSERT INTO {t}
(id, token, claimant, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
VALUES (?, ?, ?, ?, 1, ?, {first}, {now}, {now} + ?, CASE WHEN ? = 1 THEN {never} ELSE {now} + ? END, NULL, '', ?, ?, ?)
ON DUPLICATE KEY UPDATE
claimant = CASE WHEN {new} OR {over} THEN VALUES(token) ELSE claimant END,
attempt = {next},
since = CASE WHEN {new} OR {over} OR {abandon} THEN {now} ELSE since END,
answer = CASE WHEN {new} THEN NULL ELSE answer END,
note = CASE WHEN {new} THEN '' ELSE note END,
guard_name = CASE WHEN {new} THEN VALUES(guard_name) ELSE guard_name END,
user_name = CASE WHEN {new} THEN VALUES(user_name) ELSE user_name END,
key_text = CASE WHEN {new} THEN VALUES(key_text) ELSE key_text END,
hold = CASE WHEN {new} THEN VALUES(hold) ELSE hold END,
fingerprint = CASE WHEN {new} THEN VALUES(fingerprint) ELSE fingerprint END,
state = CASE WHEN {new} THEN 1 WHEN {abandon} THEN 3 ELSE state END,
lease_until = CASE WHEN {new} OR {over} THEN VALUES(lease_until) ELSE lease_until END,
expires_at = CASE WHEN {new} OR {over} THEN VALUES(expires_at) WHEN state = 3 OR {abandon} THEN {never} ELSE expires_at END,
token = CASE WHEN {new} OR {over} THEN VALUES(token) ELSE token END`

// mysqlClaimText is mysqlClaim with what attempt becomes in a new row, and in one that is there.
func mysqlClaimText(first, next string) string {
	return mysqlConditions.Replace(strings.NewReplacer("{first}", first, "{next}", next).Replace(mysqlClaim))
}

var mysqlConditions = strings.NewReplacer(
	"{new}", `expires_at <= {now}`,
	"{over}", `(token <> VALUES(token) AND (claimant = VALUES(token) OR state = 1 AND lease_until <= {now}
AND fingerprint = VALUES(fingerprint) AND hold = 0 AND VALUES(hold) = 0))`,
	"{abandon}", `(state = 1 AND lease_until <= {now} AND token <> VALUES(token)
AND fingerprint = VALUES(fingerprint) AND (hold = 1 OR VALUES(hold) = 1))`,
)

// mysqlAsk claims once. A record as it leaves it asks for no further move, unless somebody else came between. Where it
// did not get a lock in time, its error is of the class busy.
type mysqlAsk interface {
	ask(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (move, backend.Grant, error)

	// needed are the statements that it sends in a transaction that begins with it.
	needed() []*query
}

// mysqlWay is how to claim: alone is in autocommit, and patient is to wait for a lock, for a moment.
type mysqlWay struct{ alone, patient bool }

// begin waits for a record that an open transaction has claimed, for a moment.
func (e *mysqlEngine) begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	return e.claim(ctx, e.store.pool, &c, mysqlWay{alone: true, patient: true})
}

// beginIn looks first, so that what only reads locks nothing for the rest of the caller's transaction, and then never
// waits: a duplicate that is not committed yet is in flight.
func (e *mysqlEngine) beginIn(ctx context.Context, on session, c backend.Claim) (backend.Grant, error) {
	if err := e.mayJoin(); err != nil {
		return backend.Grant{}, err
	}
	if m, g, err := e.see(ctx, on, &c); m == stay || err != nil {
		return g, err
	}
	return e.claim(ctx, on, &c, mysqlWay{})
}

// claim asks until it is answered. Where it finds a row locked, what is committed decides, and where that does not
// stand in the way, whether it is this record that is locked: that is a duplicate that is not committed yet. Otherwise
// it is the user's row, which the foreign key locks, and only patience helps. After a deadlock it goes on only alone:
// otherwise a whole transaction has ended.
func (e *mysqlEngine) claim(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (backend.Grant, error) {
	last := errRounds
	for round := range rounds {
		m, g, err := e.asks.ask(ctx, on, c, how)
		switch what := e.classify(err); {
		case err == nil && m == stay:
			return g, nil
		case what == busy:
			m, g, err := e.see(ctx, on, c)
			if m == stay || err != nil {
				return g, err
			}
			locked, err := e.locked(ctx, on, c.ID)
			switch {
			case err != nil:
				return backend.Grant{}, err
			case !locked:
				how.patient = true
			case round > 0:
				return unseen(c), nil
			}
		case err != nil && !(how.alone && what == conflict):
			return backend.Grant{}, err
		}
		if err != nil {
			last = err
		}
		if err := pause(ctx, round); err != nil {
			return backend.Grant{}, err
		}
	}
	return backend.Grant{}, last
}

// pause rests before another round, longer with each, so that two that met do not meet again.
func pause(ctx context.Context, round int) error {
	return rest(ctx, rand.N(time.Millisecond<<min(round, 5)))
}

// readable returns what a claim stores for people.
func (e *mysqlEngine) readable(c *backend.Claim) (guard, user, key any) {
	if e.store.config.readable {
		return c.Guard, c.User, c.Key
	}
	return nil, nil, nil
}

// see decides by what is committed, or what this transaction wrote. Where even that is locked, which reading is only
// at SERIALIZABLE, it says that there is nothing.
func (e *mysqlEngine) see(ctx context.Context, on session, c *backend.Claim) (move, backend.Grant, error) {
	rows, err := on.query(ctx, e.lookAtOnce, c.ID[:])
	m, g, err := e.read(rows, err, c)
	if e.classify(err) == busy {
		return claim, backend.Grant{}, nil
	}
	return m, g, err
}

func (e *mysqlEngine) read(rows *sql.Rows, err error, c *backend.Claim) (move, backend.Grant, error) {
	var found *row
	err = one(rows, err, func(s scanner) (err error) {
		found, err = scanRow(s)
		return err
	})
	if err != nil {
		return claim, backend.Grant{}, e.discreet(err)
	}
	m, g := decide(found, c)
	return m, g, nil
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
