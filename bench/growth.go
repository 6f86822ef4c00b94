package main

import (
	"context"
	"fmt"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// growth is a contest between tables of the same kind that hold different numbers of records.
func (s *side) growth(ctx context.Context, sizes []int) ([]*contest, error) {
	first := &contest{name: s.name + ": first run by rows in the table"}
	replay := &contest{name: s.name + ": replay by rows in the table"}
	for _, rows := range sizes {
		store, err := s.filled(ctx, grown(rows), rows, 0)
		if err != nil {
			return nil, err
		}
		known := make([]*backend.Claim, replays)
		for i := range known {
			known[i] = fresh()
			if err := storeFirst(ctx, store, known[i]); err != nil {
				return nil, err
			}
		}
		name := fmt.Sprintf("%d rows", rows)
		first.contestants = append(first.contestants, contestant{name, func(ctx context.Context) error { return storeFirst(ctx, store, fresh()) }, s.trips})
		next := turns(known)
		replay.contestants = append(replay.contestants, contestant{name, func(ctx context.Context) error { return storeReplay(ctx, store, again(next())) }, s.trips})
	}
	return []*contest{first, replay}, nil
}

// grown is the table of so many rows.
func grown(rows int) string { return fmt.Sprintf("grown_%d", rows) }

// size returns the bytes of a table's rows and of its index.
func (s *side) size(ctx context.Context, table string) (data, index int64, err error) {
	err = s.db.QueryRowContext(ctx, fmt.Sprintf(s.sql.size, table)).Scan(&data, &index)
	return data, index, err
}

// filled makes a table with so many records that live and so many that have expired, and a store on it.
func (s *side) filled(ctx context.Context, table string, living, expired int) (*sqlbackend.Store, error) {
	if err := sqlbackend.Migrate(ctx, s.db, s.dialect, sqlbackend.Table(table)); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		rows   int
		expiry string
	}{{living, "9000000000000"}, {expired, s.sql.expired}} {
		// In parts, so that no transaction is larger than a service would have it.
		for done := 0; done < part.rows; done += fillStep {
			text := fmt.Sprintf(s.sql.fill, table, part.expiry, min(fillStep, part.rows-done), done)
			if _, err := s.db.ExecContext(ctx, text); err != nil {
				return nil, fmt.Errorf("fill %s: %w", table, err)
			}
		}
	}
	if s.sql.settle != "" {
		if _, err := s.db.ExecContext(ctx, fmt.Sprintf(s.sql.settle, table)); err != nil {
			return nil, err
		}
	}
	return sqlbackend.New(ctx, s.db, s.dialect, sqlbackend.Table(table))
}

const fillStep = 50_000
