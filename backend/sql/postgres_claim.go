package sqlbackend

import (
	"context"
	"strings"

	"github.com/idem-go/idem/backend"
)

// claimText is Begin. It looks first: an upsert that meets a live row locks it, so that every replay would cost a
// transaction id, WAL and a flush. Where the look leaves something to do, one INSERT does it, and decides again on the
// newest version of the row, which it then has locked: T1 over nothing and over what has expired, else T3 where the
// record or the claim holds, else T2.
//
// Parameters: id, token, fingerprint, hold, lease, lease and retention, guard, user, key, gate. No row: another was
// faster, ask again.
const claimText = postgresClock + `,
seen AS MATERIALIZED (
SELECT r.token, r.fingerprint, r.state, r.hold, r.attempt, c.ms - r.since AS age, r.lease_until - c.ms AS remaining, r.answer,
` + lapsed + ` AND r.fingerprint = $3::bytea AND r.token <> $2::bytea AND r.lease_until <= c.ms AS due
FROM {t} AS r, "the clock" AS c WHERE r.id = $1::bytea AND r.expires_at > c.ms),
{gate}
made AS (
INSERT INTO {t} AS r
(id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
SELECT $1::bytea, $2::bytea, $3::bytea, 1, $4::smallint, 1, c.ms, c.ms + $5::bigint,
CASE WHEN $4::smallint = 1 THEN {never} ELSE c.ms + $6::bigint END, NULL, '', $7::text, $8::text, $9::text
FROM "the clock" AS c WHERE {open}
ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, since = excluded.since, answer = NULL,
token = CASE WHEN {abandoned} THEN r.token ELSE excluded.token END,
state = CASE WHEN {abandoned} THEN 3 ELSE 1 END,
hold = CASE WHEN {abandoned} THEN r.hold ELSE excluded.hold END,
attempt = CASE WHEN {expired} THEN 1 WHEN {abandoned} THEN r.attempt ELSE r.attempt + 1 END,
lease_until = CASE WHEN {abandoned} THEN r.lease_until ELSE excluded.lease_until END,
expires_at = CASE WHEN {abandoned} THEN {never} ELSE excluded.expires_at END,
note = CASE WHEN {expired} THEN '' ELSE r.note END,
guard_name = CASE WHEN {expired} THEN excluded.guard_name ELSE r.guard_name END,
user_name = CASE WHEN {expired} THEN excluded.user_name ELSE r.user_name END,
key_text = CASE WHEN {expired} THEN excluded.key_text ELSE r.key_text END
WHERE {expired} OR ` + lapsed + ` AND r.fingerprint = excluded.fingerprint AND r.token <> excluded.token
AND r.lease_until <= excluded.since
RETURNING r.state, r.attempt)
SELECT 0 AS step, token, fingerprint, state, hold, attempt, age, remaining, answer FROM seen WHERE NOT due
UNION ALL SELECT 1, NULL, NULL, state, 0, attempt, 0, 0, NULL FROM made{shut}`

// lapsed is the part of T2's and T3's conditions that says that the row can be believed: what is corrupt is never
// overwritten.
const lapsed = `r.state = 1 AND r.hold IN (0, 1) AND r.attempt > 0 AND octet_length(r.token) = 16`

// postgresClaim is the text of Begin, with the gate or without. excluded.since is the statement's clock.
func postgresClaim(gated bool) string {
	gate, open, shut := "", `NOT EXISTS (SELECT 1 FROM seen WHERE NOT due)`, ""
	if gated {
		// CASE keeps the order: no lock for what is answered already.
		gate = `gate AS MATERIALIZED (SELECT CASE WHEN ` + open + ` THEN pg_try_advisory_xact_lock($10::bigint # ` + tableNumber + `) END AS open),`
		open = `(SELECT open FROM gate)`
		shut = "\nUNION ALL SELECT 2, NULL, NULL, 0, 0, 0, 0, 0, NULL FROM gate WHERE NOT open"
	}
	return strings.NewReplacer(
		"{gate}", gate, "{open}", open, "{shut}", shut,
		"{expired}", `r.expires_at <= excluded.since`,
		"{abandoned}", `r.expires_at > excluded.since AND (r.hold = 1 OR excluded.hold = 1)`,
	).Replace(claimText)
}

// tableNumber makes the number of an advisory lock, which all tables of a database share, the table's own.
const tableNumber = `'{t}'::regclass::oid::bigint`

// What a row of Begin's statement says: what stands in the way, what was written, or that the gate is shut.
const (
	stepSeen = iota
	stepMade
	stepShut
)

func (e *postgresEngine) claimArgs(c *backend.Claim) []any {
	var guard, user, key any
	if e.store.config.readable {
		guard, user, key = c.Guard, c.User, c.Key
	}
	lease := milliseconds(c.Lease)
	return append(make([]any, 0, 10), c.ID[:], c.Token[:], c.Fingerprint[:], number(c.Hold), lease, lease+milliseconds(c.Retention), guard, user, key)
}

// ask sends Begin until it is answered: whoever inserts at the same moment as another, and loses, finds no row yet.
func (e *postgresEngine) ask(ctx context.Context, on session, q *query, c *backend.Claim, args []any) (g backend.Grant, wrote bool, err error) {
	for round := range rounds {
		answered := false
		rows, err := on.query(ctx, q, args...)
		err = one(rows, err, func(s scanner) (err error) {
			answered = true
			g, wrote, err = scanGrant(s, c)
			return err
		})
		if answered || err != nil {
			return g, wrote, explained(err)
		}
		if err := rest(ctx, pauseAfter(round)); err != nil {
			return backend.Grant{}, false, err
		}
	}
	return backend.Grant{}, false, errRounds
}

func scanGrant(s scanner, c *backend.Claim) (g backend.Grant, wrote bool, err error) {
	var step int
	var raw rawRow
	if err := s.Scan(&step, &raw.token, &raw.fingerprint, &raw.state, &raw.hold, &raw.attempt, &raw.age, &raw.left, &raw.answer); err != nil {
		return backend.Grant{}, false, err
	}
	switch step {
	case stepShut: // nobody can see that claim yet, so its own lease is the best guess
		return backend.Grant{Verdict: backend.InFlight, LeaseLeft: c.Lease}, false, nil
	case stepMade:
		if backend.State(raw.state) == backend.Unknown {
			return backend.Grant{Verdict: backend.Held}, true, nil
		}
		return backend.Grant{Verdict: backend.Claimed, Attempt: int(raw.attempt)}, true, nil
	}
	seen, err := raw.row()
	if err != nil {
		return backend.Grant{}, false, err
	}
	_, g = decide(seen, c)
	return g, false, nil
}
