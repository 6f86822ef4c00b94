package memtest

import (
	"context"

	"github.com/idem-go/idem/backend"
)

// Prune removes expired records and makes abandoned claims that hold Unknown, as backend.Pruner says. It locks one
// shard at a time and looks at ctx between them; the next Prune, of whoever, starts where this one stopped.
func (s *Store) Prune(ctx context.Context) (backend.PruneStats, error) {
	var total backend.PruneStats
	for range shardCount {
		if ctx.Err() != nil {
			return total, context.Cause(ctx)
		}
		at := (s.pruneAt.Add(1) - 1) % shardCount
		total.Add(s.shards[at].prune(s.now))
	}
	return total, nil
}

func (sh *shard) prune(clock func() instant) backend.PruneStats {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := clock()
	stats := backend.PruneStats{Scanned: len(sh.records)}
	for id, r := range sh.records {
		if _, locked := sh.rows[id]; locked {
			continue // its transaction decides
		}
		switch {
		case r.expired(now):
			delete(sh.records, id)
			stats.Removed++
		case r.state == backend.Pending && r.hold && now >= r.leaseEnd:
			r.giveUp("", now)
			sh.wake(id)
			stats.Held++
		}
	}
	return stats
}
