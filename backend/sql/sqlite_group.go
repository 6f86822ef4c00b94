package sqlbackend

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/together"
)

// sqliteWrite is what one call has the writer do: a transition, of Begin the move on what it saw.
type sqliteWrite struct {
	transition
	move move
	seen *row
}

// made does w.
func (e *sqliteEngine) made(ctx context.Context, on session, w *sqliteWrite) (backend.Grant, error) {
	if w.kind == claiming {
		ok, err := e.store.records.try(ctx, on, w.move, &w.claim, w.seen)
		return kept(ok), err
	}
	return e.store.records.transit(ctx, on, &w.transition)
}

// single does w by itself.
func (e *sqliteEngine) single(ctx context.Context, w *sqliteWrite) error {
	return e.write(ctx, func(ctx context.Context, on session) (err error) {
		w.grant, err = e.made(ctx, on, w)
		return err
	})
}

// sqliteGroup has calls that queue for the writer share a transaction, and so one flush to the disk. There is one line: who
// would not wait in it would wait for the writer.
type sqliteGroup struct {
	e    *sqliteEngine
	line together.Line[*sqliteWrite]
}

func (e *sqliteEngine) group() group {
	g := &sqliteGroup{e: e}
	g.line.Alone, g.line.Many, g.line.Flushes, g.line.Crowd = e.single, g.many, 1, &together.Crowd{Few: 1}
	g.line.Own = func(w *sqliteWrite) { w.own() }
	g.line.Known = func(w *sqliteWrite) (bool, error) { return w.known, nil }
	e.shared = g
	return g
}

// carry looks first for a claim, and queues for what that leaves to write.
func (g *sqliteGroup) carry(ctx context.Context, t *transition) (err error) {
	if t.kind == claiming {
		t.grant, err = g.e.begin(ctx, t.claim)
		return err
	}
	w := &sqliteWrite{transition: *t}
	if err := g.do(ctx, w); err != nil {
		return err
	}
	t.grant = w.grant
	return nil
}

func (g *sqliteGroup) do(ctx context.Context, w *sqliteWrite) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case g.e.writer.lentTo(ctx):
		return errInside
	case w.heavy():
		return g.e.single(ctx, w)
	}
	_, err := g.line.Do(ctx, w)
	return err
}

// many does all of them in one transaction. A statement that fails undoes itself and no other; its caller does it again
// alone, and has the error. Where the database is another's the transaction ends, since each statement would wait for it.
func (g *sqliteGroup) many(ctx context.Context, ws []*sqliteWrite) {
	leave, err := g.e.writer.enter(ctx)
	if err != nil {
		return
	}
	defer leave()
	var done []*sqliteWrite
	err = g.e.store.transact(ctx, nil, func(tx *sqlx.Tx) (err error) {
		for _, w := range ws {
			if w.grant, err = g.e.made(ctx, within{tx}, w); err == nil {
				done = append(done, w)
				continue
			}
			if what := g.e.classify(err); what == busy || what == conflict {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return // whatever became of it, each finds out
	}
	for _, w := range done {
		w.known = true
	}
}
