package idem

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
)

// PruneStats says what a round of pruning did.
type PruneStats = backend.PruneStats

// minPruneInterval is the shortest interval of RunPruner.
const minPruneInterval = time.Second

// Prune goes once over the whole store behind the guard, all guards' records: expired ones are removed, and abandoned
// claims of Hold guards become unknown. It works in small steps beside live traffic and may run in any number of
// processes at once. Nothing depends on it but the space that records take. ErrUnsupported where the store forgets by
// itself.
func (g *Guard) Prune(ctx context.Context) (PruneStats, error) {
	p, err := g.pruner()
	if err != nil {
		return PruneStats{}, err
	}
	began := time.Now()
	stats, err := p.Prune(ctx)
	if err != nil {
		return stats, operatorError(err)
	}
	g.observe(ctx, Event{Kind: EventPruned, Elapsed: time.Since(began), Pruned: stats})
	return stats, nil
}

// RunPruner prunes now and then every so often, at least every second, with some jitter, until ctx ends, whose cause it
// returns. It blocks: call it with go. A round that fails is reported to the guard's observer and the next one goes on.
// Several guards of one store may all run it: one of them works, the others stand by. For a store that forgets by itself
// it just waits for the end of ctx.
func (g *Guard) RunPruner(ctx context.Context, every time.Duration) error {
	if err := g.ready(); err != nil {
		return err
	}
	if every < minPruneInterval {
		return optionError("RunPruner", "an interval of %v is shorter than %v", every, minPruneInterval)
	}
	if _, ok := g.store.(backend.Pruner); !ok {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	end, err := pruners.start(ctx, g.store)
	if err != nil {
		return err
	}
	defer end()
	for {
		if _, err := g.Prune(ctx); err != nil && ctx.Err() == nil {
			g.observe(ctx, Event{Kind: EventPruneFailed, Code: CodeOf(err), Err: err})
		}
		if !sleep(ctx, every-jitter(every/5)) {
			return context.Cause(ctx)
		}
	}
}

func (g *Guard) pruner() (backend.Pruner, error) {
	if err := g.ready(); err != nil {
		return nil, err
	}
	p, ok := g.store.(backend.Pruner)
	if !ok {
		return nil, fmt.Errorf("%w: %T is no Pruner", ErrUnsupported, g.store)
	}
	return p, nil
}

// pruners has one pruner a store run in a process.
var pruners = prunerSet{running: map[backend.Store]chan struct{}{}}

type prunerSet struct {
	mu      sync.Mutex
	running map[backend.Store]chan struct{} // closed when the one that runs ends
}

// start returns when it is the caller's turn to prune the store, or with ctx's cause.
func (ps *prunerSet) start(ctx context.Context, store backend.Store) (end func(), err error) {
	if !reflect.TypeOf(store).Comparable() {
		return func() {}, nil
	}
	for {
		ps.mu.Lock()
		other, busy := ps.running[store]
		if !busy {
			mine := make(chan struct{})
			ps.running[store] = mine
			ps.mu.Unlock()
			return func() { ps.end(store, mine) }, nil
		}
		ps.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (ps *prunerSet) end(store backend.Store, mine chan struct{}) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.running, store)
	close(mine)
}
