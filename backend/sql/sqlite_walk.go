package sqlbackend

import "context"

// A walk goes by the rowids, in whose order the table lies: by the ids, which are hashes, each row of a step would be on a
// page of its own. A place travels as the text of a number, since places are bytes; nothing stands for the start.
const (
	withinRows  = `rowid > CAST(? AS INTEGER) AND rowid <= CAST(? AS INTEGER)`
	boundOfRows = `SELECT CAST(rowid AS TEXT) FROM {t} WHERE rowid > CAST(? AS INTEGER) ORDER BY rowid LIMIT 1 OFFSET ?`
)

// lastRow is beyond every row.
const lastRow = "9223372036854775807"

func (e *sqliteEngine) span(ctx context.Context, from []byte, rows int) (to []byte, last bool, err error) {
	return e.store.spanBy(ctx, e.bound, from, rows, []byte(lastRow))
}
