package sqlbackend

import (
	"bytes"
	"context"

	"github.com/idem-go/idem/backend"
)

// pruner remembers how far the walk through the table has come.
type pruner struct {
	turn  chan struct{} // one walk of a store at a time
	place []byte        // the end of the last step, nil at the start
}

func newPruner() pruner { return pruner{turn: make(chan struct{}, 1)} }

// Prune removes expired records and makes abandoned claims that hold Unknown, as backend.Pruner says. It walks the
// table in its physical order, PruneStep rows a step, and rests PrunePause after each. A step in which nothing is due
// only reads. A second Prune of the same Store waits for the first.
func (s *Store) Prune(ctx context.Context) (backend.PruneStats, error) {
	var total backend.PruneStats
	select {
	case s.pruner.turn <- struct{}{}:
		defer func() { <-s.pruner.turn }()
	case <-ctx.Done():
		return total, context.Cause(ctx)
	}
	for {
		last, err := s.pruneStep(ctx, &total)
		switch {
		case err != nil && ctx.Err() != nil:
			return total, context.Cause(ctx)
		case err != nil:
			return total, failure(ctx, "prune", err, s.engine.classify)
		case last:
			return total, nil
		}
		if err := rest(ctx, s.config.pause); err != nil {
			return total, err
		}
	}
}

func (s *Store) pruneStep(ctx context.Context, total *backend.PruneStats) (last bool, err error) {
	from := present(s.pruner.place)
	to, last, err := s.engine.span(ctx, from, s.config.step)
	if err != nil {
		return false, err
	}
	if err := s.pruneSpan(ctx, from, to, total); err != nil {
		return false, err
	}
	s.pruner.place = to
	if last {
		s.pruner.place = nil
	}
	return last, nil
}

// spanByID is engine.span for a walk in the order of the ids.
func (s *Store) spanByID(ctx context.Context, from []byte, rows int) (to []byte, last bool, err error) {
	return s.spanBy(ctx, s.records.sql.bound, from, rows, bytes.Repeat([]byte{0xff}, len(backend.ID{})))
}

// spanBy is engine.span by a query that takes the place of the last step and how many rows to pass over. Where there are
// not so many left, the step goes on to the end.
func (s *Store) spanBy(ctx context.Context, q *query, from []byte, rows int, end []byte) (to []byte, last bool, err error) {
	err = s.readOne(ctx, q, func(row scanner) error { return row.Scan(&to) }, present(from), int64(rows-1))
	if err != nil || to != nil {
		return to, false, err
	}
	return end, true, nil
}

func (s *Store) pruneSpan(ctx context.Context, from, to []byte, total *backend.PruneStats) error {
	var scanned, expired, abandoned int
	sql := s.records.sql
	err := s.readOne(ctx, sql.count, func(row scanner) error { return row.Scan(&scanned, &expired, &abandoned) }, from, to)
	if err != nil {
		return err
	}
	total.Scanned += scanned
	if expired > 0 {
		if err := s.sweep(ctx, sql.pruneExpired, &total.Removed, from, to); err != nil {
			return err
		}
	}
	if abandoned > 0 {
		return s.sweep(ctx, sql.pruneAbandoned, &total.Held, from, to)
	}
	return nil
}

// sweep runs a statement on a span of the table and adds how many rows it changed.
func (s *Store) sweep(ctx context.Context, q *query, total *int, args ...any) error {
	return s.engine.write(ctx, func(ctx context.Context, on session) error {
		n, err := on.exec(ctx, q, args...)
		*total += int(n)
		return err
	})
}
