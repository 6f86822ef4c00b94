package memtest

import (
	"context"
	"slices"
	"sync"

	"github.com/idem-go/idem/backend"
)

// Watch tells of a record's end as backend.Notifier says. The channel is never closed; no goroutine stands behind it.
func (s *Store) Watch(ctx context.Context, id backend.ID) (<-chan struct{}, func(), error) {
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	sh, changed := s.shard(id), make(chan struct{}, 1)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.watches == nil {
		sh.watches = make(map[backend.ID][]chan struct{})
	}
	sh.watches[id] = append(sh.watches[id], changed)
	return changed, sync.OnceFunc(func() { sh.unwatch(id, changed) }), nil
}

func (sh *shard) unwatch(id backend.ID, changed chan struct{}) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	rest := slices.DeleteFunc(sh.watches[id], func(c chan struct{}) bool { return c == changed })
	if len(rest) == 0 {
		delete(sh.watches, id)
		return
	}
	sh.watches[id] = rest
}
