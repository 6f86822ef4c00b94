package sqlbackend

import (
	"context"
	"strconv"
	"strings"

	"github.com/idem-go/idem/backend"
)

// mariaDBFlushes is how many shared statements of a kind may be under way: more would mostly wait for each other.
const mariaDBFlushes = 2

// mariaDBSizes are for how many transitions there are statements. One is filled up with its last transition, which changes
// nothing the second time.
var mariaDBSizes = [...]int{2, 4, 8, 16, 32, 64}

// mariaDBPart is a piece of a shared statement: a text, and then what is said of each transition.
type mariaDBPart struct {
	text, each, between string
	args                func(*transition) []any
}

// chosenFor is a value for each row. It is chosen by CASE: a join of what is asked would go through a table of text, which takes
// no bytes. What follows ends the CASE.
func chosenFor(text string, value func(*transition) any) mariaDBPart {
	return mariaDBPart{text: text + `CASE id`, each: ` WHEN ? THEN ?`, args: func(t *transition) []any { return []any{t.id[:], value(t)} }}
}

// stillMine is the condition that a row is still its caller's, after text.
func stillMine(text string) []mariaDBPart {
	return []mariaDBPart{
		{text: text + ` WHERE id IN (`, each: `?`, between: `, `, args: func(t *transition) []any { return []any{t.id[:]} }},
		chosenFor(`) AND token = `, func(t *transition) any { return t.token[:] }),
		{text: ` END AND state = 1 AND expires_at > {now}`},
	}
}

// mariaDBUpdate forces the index: a look through a small table would lock all of it.
const mariaDBUpdate = `UPDATE {t} FORCE INDEX (PRIMARY) SET `

// mariaDBParts are the shared statements. RETURNING says which claims and releases were made; of the others the server
// counts.
func (e *mysqlEngine) mariaDBParts() [len(kinds)][]mariaDBPart {
	into, rest, _ := strings.Cut(mysqlClaimText(`1`, `id = id`), `(?`)
	values, end, _ := strings.Cut(rest, "\n")
	lightly := strings.Replace(sightColumns, `answer`, `CASE WHEN LENGTH(answer) <= `+strconv.Itoa(light)+` THEN answer END`, 1)
	return [...][]mariaDBPart{
		claiming: {
			{text: into, each: `(?` + values, between: `, `, args: func(t *transition) []any { return e.claimArgs(&t.claim) }},
			{text: "\n" + end + "\nRETURNING " + lightly + `, COALESCE(LENGTH(answer), 0)`},
		},
		renewing: append([]mariaDBPart{
			chosenFor(mariaDBUpdate+`lease_until = {now} + `, func(t *transition) any { return milliseconds(t.renewal.Lease) }),
			chosenFor(` END, expires_at = CASE WHEN hold = 1 THEN {never} ELSE {now} + `, func(t *transition) any {
				return milliseconds(t.renewal.Lease) + milliseconds(t.renewal.Retention)
			}),
			chosenFor(` END END, note = COALESCE(NULLIF(`, func(t *transition) any { return t.renewal.Note }),
		}, stillMine(` END, ''), note)`)...),
		completing: append([]mariaDBPart{
			chosenFor(mariaDBUpdate+`state = 2, since = {now}, expires_at = {now} + `, func(t *transition) any { return milliseconds(t.completion.Retention) }),
			chosenFor(` END, answer = `, func(t *transition) any { return present(t.completion.Answer) }),
		}, stillMine(` END`)...),
		releasing: append(stillMine(`DELETE FROM {t}`), mariaDBPart{text: ` RETURNING id`}),
		holding: append([]mariaDBPart{
			chosenFor(mariaDBUpdate+`state = 3, since = {now}, expires_at = {never}, note = COALESCE(NULLIF(`, func(t *transition) any { return t.note }),
		}, stillMine(` END, ''), note)`)...),
	}
}

// mariaDBBatcher makes several transitions in one statement, which waits for no lock: where a row is locked it fails, and each
// is made alone.
type mariaDBBatcher struct {
	e     *mysqlEngine
	parts [len(kinds)][]mariaDBPart
	sent  [len(kinds)][len(mariaDBSizes)]*query
}

// group is MariaDB's: MySQL does not say what became of which claim.
func (e *mysqlEngine) group() group {
	if _, ok := e.asks.(mariaDBAsk); !ok {
		return nil
	}
	b := &mariaDBBatcher{e: e, parts: e.mariaDBParts()}
	for _, k := range kinds {
		for i, size := range mariaDBSizes {
			b.sent[k][i] = e.query(e.server.atOnce + mariaDBText(b.parts[k], size))
		}
	}
	return newBatches(e.store, b, mariaDBFlushes)
}

// mariaDBText is the text of a shared statement of so many transitions.
func mariaDBText(parts []mariaDBPart, size int) string {
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(p.text)
		if p.each != "" {
			text.WriteString(p.each + strings.Repeat(p.between+p.each, size-1))
		}
	}
	return text.String()
}

// filled returns the statement for so many transitions, and its parameters.
func (b *mariaDBBatcher) filled(k kind, ts []*transition) (*query, []any, error) {
	at, room := 0, 0
	for mariaDBSizes[at] < len(ts) {
		at++
	}
	var args []any
	for _, p := range b.parts[k] {
		for i := 0; i < mariaDBSizes[at] && p.args != nil; i++ {
			args = append(args, p.args(ts[min(i, len(ts)-1)])...)
		}
	}
	for _, arg := range args {
		if raw, ok := arg.([]byte); ok {
			room += len(raw)
		}
	}
	return b.sent[k][at], args, b.e.room(room)
}

func (b *mariaDBBatcher) batch(ctx context.Context, k kind, ts []*transition) error {
	q, args, err := b.filled(k, ts)
	switch {
	case err != nil:
		return err
	case k == claiming:
		return b.claim(ctx, q, args, ts)
	case k == releasing:
		return b.release(ctx, q, args, ts)
	}
	n, err := b.e.store.pool.exec(ctx, q, args...)
	if err != nil || n != int64(len(ts)) { // which of them were not written nobody says
		return err
	}
	for _, t := range ts {
		t.keep()
		if k == completing {
			b.e.disk.add(t.token)
		}
	}
	return nil
}

func (b *mariaDBBatcher) release(ctx context.Context, q *query, args []any, ts []*transition) error {
	asked := byID(ts)
	var gone []*transition
	rows, err := b.e.store.pool.query(ctx, q, args...)
	err = each(rows, err, func(s scanner) error {
		var id []byte
		err := s.Scan(&id)
		if t := asked[string(id)]; t != nil {
			gone = append(gone, t)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range gone {
		t.keep()
	}
	return nil
}

func byID(ts []*transition) map[string]*transition {
	asked := make(map[string]*transition, len(ts))
	for _, t := range ts {
		asked[string(t.id[:])] = t
	}
	return asked
}

// claim leaves what is to be written over, what is not surely on disk, and what cannot be read, to the callers.
func (b *mariaDBBatcher) claim(ctx context.Context, q *query, args []any, ts []*transition) error {
	asked := byID(ts)
	grants := make(map[*transition]backend.Grant, len(ts))
	rows, err := b.e.store.pool.query(ctx, q, args...)
	err = each(rows, err, func(s scanner) error {
		var r rawRow
		var id []byte
		var size int
		if err := s.Scan(&r.token, &r.fingerprint, &r.state, &r.hold, &r.attempt, &r.age, &r.left, &r.expiry, &r.answer, &id, &size); err != nil {
			return err
		}
		t := asked[string(id)]
		seen, err := r.row()
		if t == nil || err != nil || r.expiry <= 0 || size > light {
			return nil
		}
		if m, g := decide(seen, &t.claim); m == stay && (g.Verdict != backend.Replay || b.e.disk.has(seen)) {
			grants[t] = g
		}
		return nil
	})
	if err != nil {
		return err
	}
	for t, g := range grants {
		t.grant, t.known = g, true
	}
	return nil
}
