package sqlbackend

import (
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
)

// statements are the texts of one store. {t} is the table, {now} the database's clock, {never} the expiry of what does
// not expire, {within} the span of a walk, {ended} tells those who wait and {unmarked} says that nobody does; states are
// the numbers of backend.State.
//
// Every write repeats in its own WHERE what makes it right, whatever was read before it.
type statements struct {
	look, claim, takeOver, abandon      *query
	renew, complete, release, hold      *query
	bound                               *query
	count, pruneExpired, pruneAbandoned *query
	show, list, resolve, free           *query
	forgetExpired, forget               *query
	owned, forgetOwnExpired, forgetOwn  *query
}

func newStatements(t table, w words) *statements {
	q := func(text string) *query { return &query{text: w.fill(t, text)} }
	return &statements{
		look: q(`SELECT ` + lookColumns + ` FROM {t} WHERE id = ? AND expires_at > {now}`),

		// T1. Over a row that is there it claims only what has expired, and then every column is the new claim's.
		claim: q(`INSERT INTO {t} AS r
(id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
VALUES (?, ?, ?, 1, ?, 1, {now}, {now} + ?, CASE WHEN ? = 1 THEN {never} ELSE {now} + ? END, NULL, '', ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET token = excluded.token, fingerprint = excluded.fingerprint, state = 1,
hold = excluded.hold, attempt = 1, since = excluded.since, lease_until = excluded.lease_until,
expires_at = excluded.expires_at, answer = NULL, note = '', guard_name = excluded.guard_name,
user_name = excluded.user_name, key_text = excluded.key_text{unmarked}
WHERE r.expires_at <= {now}`),

		// T2 and T3 are made under the token that was seen: a claim that was renewed, completed or taken over meanwhile
		// does not match.
		takeOver: q(`UPDATE {t} SET token = ?, hold = 0, attempt = attempt + 1, since = {now},
lease_until = {now} + ?, expires_at = {now} + ?
WHERE id = ? AND token = ? AND fingerprint = ? AND state = 1 AND hold = 0 AND lease_until <= {now} AND expires_at > {now}`),
		abandon: q(`UPDATE {t} SET state = 3, since = {now}, expires_at = {never}
WHERE id = ? AND token = ? AND state = 1 AND lease_until <= {now} AND expires_at > {now}`),

		// T4, T5, T8 and T8'. The lease is not compared: what nobody took over is still the owner's.
		renew: q(`UPDATE {t} SET lease_until = {now} + ?,
expires_at = CASE WHEN hold = 1 THEN {never} ELSE {now} + ? END, note = CASE WHEN ? = '' THEN note ELSE ? END
WHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}`),
		complete: q(`UPDATE {t} SET state = 2, since = {now}, expires_at = {now} + ?, answer = ?
WHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),
		release: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),
		hold: q(`UPDATE {t} SET state = 3, since = {now}, expires_at = {never},
note = CASE WHEN ? = '' THEN note ELSE ? END
WHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),

		// The end of a step of a walk in the order of the ids.
		bound: q(`SELECT id FROM {t} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?`),

		// T12.
		count: q(`SELECT COUNT(*), COUNT(CASE WHEN expires_at <= {now} THEN 1 END),
COUNT(CASE WHEN state = 1 AND hold = 1 AND lease_until <= {now} THEN 1 END) FROM {t} WHERE {within}`),
		pruneExpired: q(`DELETE FROM {t} WHERE {within} AND expires_at <= {now}`),
		pruneAbandoned: q(`UPDATE {t} SET state = 3, since = {now}, expires_at = {never}
WHERE {within} AND state = 1 AND hold = 1 AND lease_until <= {now}`),

		show: q(`SELECT ` + showColumns + ` FROM {t} WHERE id = ? AND expires_at > {now}`),
		list: q(`SELECT ` + showColumns + ` FROM {t} WHERE id > ? AND expires_at > {now}
AND (? = 0 OR state = ?) AND (? = '' OR guard_name = ?) AND (? = '' OR user_name = ?) AND {now} - since > ?
ORDER BY id LIMIT ?`),

		// T13, under the token whose hash the operator was shown.
		resolve: q(`UPDATE {t} SET state = 2, since = {now}, expires_at = {now} + ?, answer = ?
WHERE id = ? AND token = ? AND state = 3`),
		free: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 3`),

		// What has expired goes too, but is not counted: it was absent.
		forgetExpired: q(`DELETE FROM {t} WHERE id = ? AND expires_at <= {now}`),
		forget:        q(`DELETE FROM {t} WHERE id = ?{ended}`),
		owned: q(`SELECT COUNT(CASE WHEN guard_name = ? AND user_name = ? THEN 1 END) FROM {t}
WHERE {within}`),
		forgetOwnExpired: q(`DELETE FROM {t} WHERE {within} AND guard_name = ? AND user_name = ? AND expires_at <= {now}`),
		forgetOwn:        q(`DELETE FROM {t} WHERE {within} AND guard_name = ? AND user_name = ?{ended}`),
	}
}

// fill writes the dialect's words into the text of a statement.
func (w words) fill(t table, text string) string {
	text = strings.NewReplacer("{within}", w.within, "{ended}", w.ended, "{unmarked}", w.unmarked).Replace(text)
	text = strings.NewReplacer(
		"{t}", t.quoted(w.quote, ""),
		"{now}", w.now,
		"{never}", strconv.FormatInt(never, 10),
	).Replace(text)
	return sqlx.Rebind(w.bind, text)
}
