package redisbackend

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

const (
	scanStep = 500                  // keys that a server looks at before others get their turn
	restTime = 2 * time.Millisecond // between two steps
)

// pruner remembers how far the walk over the servers has come.
type pruner struct {
	turn   chan struct{} // one walk of a store at a time
	server string        // where it stopped, "" at the start
	cursor uint64
}

func newPruner() pruner { return pruner{turn: make(chan struct{}, 1)} }

// Prune makes abandoned claims that hold Unknown, so that operators find them, as backend.Pruner says. It removes nothing:
// Redis forgets what expired by itself. It walks all keys of the database, some hundred a step, and rests after each. A
// second Prune of the same Store waits for the first.
func (s *Store) Prune(ctx context.Context) (backend.PruneStats, error) {
	var total backend.PruneStats
	select {
	case s.prune.turn <- struct{}{}:
		defer func() { <-s.prune.turn }()
	case <-ctx.Done():
		return total, context.Cause(ctx)
	}
	var unread error
	from := walkPlace{server: s.prune.server, cursor: s.prune.cursor}
	err := s.walk(ctx, from, func(next walkPlace, ids []backend.ID) error {
		answers, err := s.runAll(ctx, s.scripts.abandon, ids, blank(0))
		if err != nil {
			return err
		}
		total.Scanned += len(ids)
		total.Held += kept(answers, &unread)
		s.prune.server, s.prune.cursor = next.server, next.cursor
		return rest(ctx)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return total, context.Cause(ctx)
	case err != nil:
		return total, failure(ctx, "prune", err)
	}
	s.prune.server, s.prune.cursor = "", 0
	return total, failure(ctx, "prune", unread)
}

// kept counts those that were changed, and keeps the first error of a key that holds something else: it is reported at
// the end, so that it stops no work on the others.
func kept(answers []answer, unread *error) int {
	n := 0
	for _, a := range answers {
		if a.err != nil && *unread == nil {
			*unread = a.err
		}
		n += int(a.number)
	}
	return n
}

// scan gives f the ids of all records, in steps. A record that is there all the while is among them at least once.
func (s *Store) scan(ctx context.Context, f func([]backend.ID) error) error {
	return s.walk(ctx, walkPlace{}, func(_ walkPlace, ids []backend.ID) error { return f(ids) })
}

// walkPlace is a server and a cursor of its SCAN; the zero value is the start.
type walkPlace struct {
	server string
	cursor uint64
}

// walk goes over all masters in the order of their addresses, from a place on, and gives f the ids of each step and the
// place after it.
func (s *Store) walk(ctx context.Context, from walkPlace, f func(next walkPlace, ids []backend.ID) error) error {
	all, err := s.masters(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *redis.Client) int { return strings.Compare(a.Options().Addr, b.Options().Addr) })
	for _, on := range all {
		at := walkPlace{server: on.Options().Addr}
		switch {
		case at.server < from.server:
			continue
		case at.server == from.server:
			at.cursor = from.cursor
		}
		for first := true; first || at.cursor != 0; first = false {
			ids, next, err := s.step(ctx, on, at.cursor)
			if err != nil {
				return err
			}
			at.cursor = next
			if err := f(at, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) step(ctx context.Context, on *redis.Client, cursor uint64) ([]backend.ID, uint64, error) {
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	keys, next, err := on.Scan(ctx, cursor, s.config.prefix+"*", scanStep).Result()
	ids := make([]backend.ID, 0, len(keys))
	for _, key := range keys {
		if id, ours := s.config.id(key); ours {
			ids = append(ids, id)
		}
	}
	return ids, next, err
}

func rest(ctx context.Context) error {
	timer := time.NewTimer(restTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
