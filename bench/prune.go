package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// pruning is what a service notices while its table is pruned.
type pruning struct {
	quiet, during latency
	rows          int
	took          time.Duration
	batches       float64 // rows per second that batches in the order of expiry remove, for comparison
}

// latency is that of claims, in milliseconds.
type latency struct {
	claims         int
	p50, p99, most float64
}

const (
	pruneCallers = 8
	prunePace    = 4 * time.Millisecond // of each caller's claims
)

// prune measures claims before and during a Prune of so many expired records among a tenth as many that live; quiet is
// how long before.
func (s *side) prune(ctx context.Context, rows int, quiet time.Duration) (*pruning, error) {
	store, err := s.filled(ctx, "pruned", rows/10, rows)
	if err != nil {
		return nil, err
	}
	p := &pruning{}
	calm, stop := context.WithTimeout(ctx, quiet)
	p.quiet, err = claims(calm, store)
	stop()
	if err != nil {
		return nil, err
	}
	busy, over := context.WithCancel(ctx)
	defer over()
	var stats backend.PruneStats
	var pruned error
	start := time.Now()
	var group sync.WaitGroup
	group.Go(func() {
		defer over()
		stats, pruned = store.Prune(ctx)
		p.took = time.Since(start)
	})
	p.during, err = claims(busy, store)
	group.Wait()
	if err := errors.Join(err, pruned); err != nil {
		return nil, err
	}
	if p.rows = stats.Removed; p.rows != rows {
		return nil, fmt.Errorf("%d of %d rows were pruned", p.rows, rows)
	}
	p.batches, err = s.inBatches(ctx, rows/10)
	return p, err
}

// claims claims at a steady pace until ctx ends.
func claims(ctx context.Context, store *sqlbackend.Store) (latency, error) {
	var mu sync.Mutex
	var all []float64
	var failed error
	own := context.WithoutCancel(ctx)
	var group sync.WaitGroup
	for range pruneCallers {
		group.Go(func() {
			pace := time.NewTicker(prunePace)
			defer pace.Stop()
			for ctx.Err() == nil {
				select {
				case <-pace.C:
				case <-ctx.Done():
					return
				}
				c, start := fresh(), time.Now()
				g, err := store.Begin(own, *c)
				took := float64(time.Since(start)) / float64(time.Millisecond)
				if err == nil && g.Verdict != backend.Claimed {
					err = fmt.Errorf("begin: %v", g.Verdict)
				}
				mu.Lock()
				all = append(all, took)
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return latency{claims: len(all), p50: quantile(all, 0.5), p99: quantile(all, 0.99), most: quantile(all, math.Nextafter(1, 0))}, failed
}

// inBatches returns how many rows a second are removed the usual way: an index on the expiry, and a thousand at a time in
// its order.
func (s *side) inBatches(ctx context.Context, rows int) (float64, error) {
	if _, err := s.filled(ctx, "batched", rows/10, rows); err != nil {
		return 0, err
	}
	if _, err := s.db.ExecContext(ctx, `CREATE INDEX batched_expiry ON batched (expires_at)`); err != nil {
		return 0, err
	}
	start := time.Now()
	for removed := int64(0); removed < int64(rows); {
		res, err := s.db.ExecContext(ctx, s.sql.batch)
		if err != nil {
			return 0, err
		}
		n, err := res.RowsAffected()
		if err != nil || n == 0 {
			return 0, errors.Join(err, errors.New("nothing is left to remove"))
		}
		removed += n
	}
	return float64(rows) / time.Since(start).Seconds(), nil
}
