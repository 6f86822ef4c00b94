package sqlbackend

import (
	"context"
	"strings"

	"github.com/idem-go/idem/backend"
)

// claimText is Begin for all but two of its cases, in one statement. It looks first: an upsert that meets a live row locks
// it, so that every replay would cost a transaction id, WAL and a flush. What has expired and what was abandoned it only
// shows: that the statements which all dialects share write over those costs a second round trip, once in the life of a key,
// and saves every first run a fifth of the server's work.
//
// Parameters: id, token, fingerprint, hold, lease, lease and retention, guard, user, key, gate. No row: another was
// faster, ask again.
const claimText = `WITH seen AS MATERIALIZED (
SELECT token, fingerprint, state, hold, attempt, {now} - since AS age, lease_until - {now} AS remaining, expires_at - {now} AS expiry, answer
FROM {t} WHERE id = $1::bytea),
{gate}made AS (
INSERT INTO {t}
(id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
SELECT $1::bytea, $2::bytea, $3::bytea, 1, $4::smallint, 1, {now}, {now} + $5::bigint,
CASE WHEN $4::smallint = 1 THEN {never} ELSE {now} + $6::bigint END, NULL, '', $7::text, $8::text, $9::text
WHERE {open}
ON CONFLICT (id) DO NOTHING RETURNING 1)
SELECT 0 AS step, token, fingerprint, state, hold, attempt, age, remaining, expiry, answer FROM seen
UNION ALL SELECT 1, NULL, NULL, 1, 0, 1, 0, 0, 0, NULL FROM made{shut}`

const (
	nothingSeen = `NOT EXISTS (SELECT 1 FROM seen)`

	// In a transaction whoever inserts takes a gate. CASE keeps the order: there is no lock for what was seen.
	gateText = `gate AS MATERIALIZED (SELECT CASE WHEN ` + nothingSeen + ` THEN pg_try_advisory_xact_lock($10::bigint # ` + tableNumber + `) END AS open),
`
	shutText = `
UNION ALL SELECT 2, NULL, NULL, 1, 0, 1, 0, 0, 0, NULL FROM gate WHERE NOT open`

	// enterGate is for what is written over, which takes the gate too.
	enterGate = `SELECT pg_try_advisory_xact_lock($1::bigint # ` + tableNumber + `)`
)

// postgresClaim is the text of Begin, with the gate or without.
func postgresClaim(gated bool) string {
	if !gated {
		return strings.NewReplacer("{gate}", "", "{open}", nothingSeen, "{shut}", "").Replace(claimText)
	}
	return strings.NewReplacer("{gate}", gateText, "{open}", "(SELECT open FROM gate)", "{shut}", shutText).Replace(claimText)
}

// tableNumber makes the number of an advisory lock, which all tables of a database share, the table's own.
const tableNumber = `'{t}'::regclass::oid::bigint`

// What a row of Begin's statement says: what stands in the way, that the claim was made, or that the gate is shut.
const (
	stepSeen = iota
	stepMade
	stepShut
)

func (e *postgresEngine) claimArgs(c *backend.Claim) []any {
	guard, user, key := e.store.records.names(c)
	lease := milliseconds(c.Lease)
	return append(make([]any, 0, 10), c.ID[:], c.Token[:], c.Fingerprint[:], number(c.Hold), lease, lease+milliseconds(c.Retention), guard, user, key)
}

// ask sends Begin until it is answered: whoever inserts at the same moment as another, and loses, finds no row yet. made
// is what was written. enter is asked before something is written over; it may be nil.
func (e *postgresEngine) ask(ctx context.Context, on session, q *query, c *backend.Claim, args []any, enter func() (bool, error)) (g backend.Grant, made move, err error) {
	for round := range rounds {
		var found asked
		rows, err := on.query(ctx, q, args...)
		if err := one(rows, err, func(s scanner) error { return found.scan(s, c) }); err != nil {
			return backend.Grant{}, stay, explained(err)
		}
		if found.answered {
			if enter != nil && found.move != stay {
				if open, err := enter(); err != nil || !open {
					return unseen(c), stay, err
				}
			}
			won, err := e.store.records.try(ctx, on, found.move, c, found.row)
			if won || err != nil {
				return found.grant, found.move, explained(err)
			}
		}
		if err := pause(ctx, round); err != nil {
			return backend.Grant{}, stay, err
		}
	}
	return backend.Grant{}, stay, errRounds
}

// asked is what came of Begin's statement: the verdict, once the move was made.
type asked struct {
	answered bool
	move     move
	grant    backend.Grant
	row      *row // what was seen, nil where it is absent
}

func (a *asked) scan(s scanner, c *backend.Claim) error {
	var step int
	var raw rawRow
	if err := s.Scan(&step, &raw.token, &raw.fingerprint, &raw.state, &raw.hold, &raw.attempt, &raw.age, &raw.left, &raw.expiry, &raw.answer); err != nil {
		return err
	}
	return a.decide(step, &raw, c)
}

// decide is what a row of Begin's statement means to c.
func (a *asked) decide(step int, raw *rawRow, c *backend.Claim) error {
	a.answered = true
	switch {
	case step == stepShut:
		a.grant = unseen(c)
	case step == stepMade:
		a.grant = backend.Grant{Verdict: backend.Claimed, Attempt: 1}
	default:
		if raw.expiry > 0 {
			var err error
			if a.row, err = raw.row(); err != nil {
				return err
			}
		}
		a.move, a.grant = decide(a.row, c)
	}
	return nil
}
