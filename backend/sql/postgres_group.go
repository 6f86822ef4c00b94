package sqlbackend

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/idem-go/idem/backend"
)

const (
	postgresFlushes = 4    // shared statements of a kind that may be under way: more than one for the sake of slow wires and disks
	groupWait       = "20" // ms that one waits for a row which somebody else inserts
)

// groupRows begins a shared statement with what is asked, a row for each transition. What has one length comes as one string
// of bytes, numbers and texts as the texts of arrays, which every driver can send. Each array stands in a query of its own: the
// server would otherwise plan anew for every length.
const groupRows = `WITH asked AS MATERIALIZED (
SELECT n, substr($1::bytea, 32 * n::int - 31, 32) AS id, substr($2::bytea, 16 * n::int - 15, 16) AS token, {asked})`

// groupClaim is Begin's statement for several records, which sets its own lock_timeout before it looks: who asks it for a
// row that somebody else is inserting then claims alone, and so do the others.
const groupClaim = `substr($3::bytea, 33 * n::int - 32, 33) AS fingerprint, hold, lease, expiry, guard, holder, key
FROM (SELECT set_config('lock_timeout', '` + groupWait + `', true) AS patience) AS p,
unnest((SELECT $4::text::bigint[]), (SELECT $5::text::bigint[]), (SELECT $6::text::bigint[]), (SELECT $7::text::text[]),
(SELECT $8::text::text[]), (SELECT $9::text::text[])) WITH ORDINALITY AS u (hold, lease, expiry, guard, holder, key, n)
WHERE patience IS NOT NULL`

// groupClaimed looks for each record by itself, which no plan can turn into a look through the table. A large answer is
// fetched by its own caller.
const groupClaimed = `, seen AS MATERIALIZED (
SELECT a.n, r.* FROM asked AS a CROSS JOIN LATERAL (
SELECT token, fingerprint, state, hold, attempt, {now} - since AS age, lease_until - {now} AS remaining, expires_at - {now} AS expiry,
COALESCE(octet_length(answer), 0) AS size, CASE WHEN octet_length(answer) <= {light} THEN answer END AS answer
FROM {t} WHERE id = a.id OFFSET 0) AS r),
made AS (
INSERT INTO {t}
(id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note, guard_name, user_name, key_text)
SELECT id, token, fingerprint, 1, hold, 1, {now}, {now} + lease,
CASE WHEN hold = 1 THEN {never} ELSE {now} + expiry END, NULL, '', guard, holder, key
FROM asked WHERE n NOT IN (SELECT n FROM seen) ORDER BY id
ON CONFLICT (id) DO NOTHING RETURNING id)
SELECT n, 0 AS step, token, fingerprint, state, hold, attempt, age, remaining, expiry, size, answer FROM seen
UNION ALL SELECT n, 1, NULL, NULL, 1, 0, 1, 0, 0, 0, 0, NULL FROM made JOIN asked USING (id)`

// groupWrite writes the rows that are still their callers', each found by itself and locked. What another transaction has
// locked is left out: its caller waits for it alone.
const groupWrite = `, mine AS MATERIALIZED (
SELECT a.*, r.place FROM asked AS a CROSS JOIN LATERAL (SELECT ctid AS place FROM {t}
WHERE id = a.id AND token = a.token AND state = 1 AND expires_at > {now} FOR UPDATE SKIP LOCKED) AS r)
{write} mine AS m WHERE r.id = m.id AND r.ctid = m.place
RETURNING m.n, {told}`

// groupTold is notifyMarked beside what is asked. What it says of itself is not read.
const groupTold = `(CASE WHEN r.waited = 1 THEN pg_notify('` + notifyChannel + `', encode(r.id, 'hex')) END) IS NULL`

// groupTexts are what each kind asks, and how it writes that.
var groupTexts = map[kind]struct{ asked, write, told string }{
	renewing: {`lease, expiry, note
FROM unnest((SELECT $3::text::bigint[]), (SELECT $4::text::bigint[]), (SELECT $5::text::text[])) WITH ORDINALITY AS u (lease, expiry, note, n)`, `UPDATE {t} AS r SET lease_until = {now} + m.lease, expires_at = CASE WHEN r.hold = 1 THEN {never} ELSE {now} + m.expiry END,
note = CASE WHEN m.note = '' THEN r.note ELSE m.note END FROM`, `true`},
	completing: {`retention, substr($3::bytea, start::int, size::int) AS answer
FROM unnest((SELECT $4::text::bigint[]), (SELECT $5::text::bigint[]), (SELECT $6::text::bigint[])) WITH ORDINALITY AS u (retention, start, size, n)`, `UPDATE {t} AS r SET state = 2, since = {now}, expires_at = {now} + m.retention, answer = m.answer FROM`, groupTold},
	releasing: {`1 AS one
FROM generate_series(1, (SELECT octet_length($1::bytea) / 32)) AS u (n)`, `DELETE FROM {t} AS r USING`, groupTold},
	holding: {`note
FROM unnest((SELECT $3::text::text[])) WITH ORDINALITY AS u (note, n)`, `UPDATE {t} AS r SET state = 3, since = {now}, expires_at = {never}, note = CASE WHEN m.note = '' THEN r.note ELSE m.note END FROM`, groupTold},
}

// postgresBatcher makes several transitions in one statement.
type postgresBatcher struct {
	e    *postgresEngine
	sent [len(kinds)]*query
}

func (e *postgresEngine) group() group {
	b := &postgresBatcher{e: e}
	b.sent[claiming] = b.query(groupClaim, strings.ReplaceAll(groupClaimed, "{light}", strconv.Itoa(light)))
	for k, t := range groupTexts {
		b.sent[k] = b.query(t.asked, strings.NewReplacer("{write}", t.write, "{told}", t.told).Replace(groupWrite))
	}
	return newBatches(e.store, b, postgresFlushes)
}

func (b *postgresBatcher) query(asked, rest string) *query {
	return &query{text: b.e.words().fill(b.e.store.config.table, strings.ReplaceAll(groupRows, "{asked}", asked)+rest)}
}

func (b *postgresBatcher) batch(ctx context.Context, k kind, ts []*transition) error {
	rows, err := b.e.store.pool.query(ctx, b.sent[k], b.args(k, ts)...)
	if k == claiming {
		return b.claimed(rows, err, ts)
	}
	var done []int
	err = each(rows, err, func(s scanner) error {
		var n int
		var told bool
		err := s.Scan(&n, &told)
		done = append(done, n-1)
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range done {
		ts[i].keep()
	}
	return nil
}

// claimed reads what the shared claim says. What is to be written over, and what cannot be read, it leaves to the callers.
func (b *postgresBatcher) claimed(rows *sql.Rows, err error, ts []*transition) error {
	grants := make(map[int]backend.Grant, len(ts))
	err = each(rows, err, func(s scanner) error {
		var n, step, size int
		var raw rawRow
		if err := s.Scan(&n, &step, &raw.token, &raw.fingerprint, &raw.state, &raw.hold, &raw.attempt, &raw.age, &raw.left,
			&raw.expiry, &size, &raw.answer); err != nil {
			return err
		}
		var found asked
		if found.decide(step, &raw, &ts[n-1].claim) == nil && found.move == stay && size <= light {
			grants[n-1] = found.grant
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, g := range grants {
		ts[i].grant, ts[i].known = g, true
	}
	return nil
}

// args are the parameters of a shared statement, as its text numbers them.
func (b *postgresBatcher) args(k kind, ts []*transition) []any {
	ids, tokens := make([]byte, 0, 32*len(ts)), make([]byte, 0, 16*len(ts))
	for _, t := range ts {
		ids, tokens = append(ids, t.id[:]...), append(tokens, t.token[:]...)
	}
	args := []any{ids, tokens}
	numbers := func(of func(*transition) int64) { args = append(args, arrayOfNumbers(ts, of)) }
	note := func(t *transition) string { return t.note }
	switch k {
	case claiming:
		return append(args, b.claims(ts)...)
	case renewing:
		numbers(func(t *transition) int64 { return milliseconds(t.renewal.Lease) })
		numbers(func(t *transition) int64 { return milliseconds(t.renewal.Lease) + milliseconds(t.renewal.Retention) })
		note = func(t *transition) string { return t.renewal.Note }
	case completing:
		var answers []byte
		for _, t := range ts {
			answers = append(answers, t.completion.Answer...)
		}
		start := int64(1)
		args = append(args, present(answers))
		numbers(func(t *transition) int64 { return milliseconds(t.completion.Retention) })
		numbers(func(t *transition) int64 {
			own := start
			start += int64(len(t.completion.Answer))
			return own
		})
		numbers(func(t *transition) int64 { return int64(len(t.completion.Answer)) })
		return args
	case releasing:
		return args
	}
	return append(args, arrayOfTexts(ts, note))
}

func (b *postgresBatcher) claims(ts []*transition) []any {
	fingerprints := make([]byte, 0, 33*len(ts))
	for _, t := range ts {
		fingerprints = append(fingerprints, t.claim.Fingerprint[:]...)
	}
	args := []any{
		fingerprints,
		arrayOfNumbers(ts, func(t *transition) int64 { return number(t.claim.Hold) }),
		arrayOfNumbers(ts, func(t *transition) int64 { return milliseconds(t.claim.Lease) }),
		arrayOfNumbers(ts, func(t *transition) int64 { return milliseconds(t.claim.Lease) + milliseconds(t.claim.Retention) }),
	}
	if !b.e.store.config.readable {
		return append(args, "{}", "{}", "{}") // shorter than the others: the rest is NULL
	}
	return append(args,
		arrayOfTexts(ts, func(t *transition) string { return t.claim.Guard }),
		arrayOfTexts(ts, func(t *transition) string { return t.claim.User }),
		arrayOfTexts(ts, func(t *transition) string { return t.claim.Key }))
}

// arrayOfNumbers is the text of a bigint[].
func arrayOfNumbers(ts []*transition, of func(*transition) int64) string {
	text := []byte{'{'}
	for i, t := range ts {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, of(t), 10)
	}
	return string(append(text, '}'))
}

var quotedInArray = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayOfTexts is the text of a text[].
func arrayOfTexts(ts []*transition, of func(*transition) string) string {
	var text strings.Builder
	text.WriteByte('{')
	for i, t := range ts {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteByte('"')
		_, _ = quotedInArray.WriteString(&text, of(t)) // a Builder takes everything
		text.WriteByte('"')
	}
	text.WriteByte('}')
	return text.String()
}
