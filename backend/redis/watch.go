package redisbackend

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem/backend"
)

const (
	subscribeWait = time.Second     // what Watch waits for a subscription, behind which callers poll
	linger        = 5 * time.Second // what a subscription outlives its last watch by
)

// Watch tells of a record's end as backend.Notifier says. All watches of a Store share one subscription, which begins with
// the first and ends some seconds after the last, or with Close. Scripts publish only what is marked as waited for: Watch
// marks the record, and so does every Begin of this Store on it while the watch lasts. After a cut of the connection
// everybody is woken once.
func (s *Store) Watch(ctx context.Context, id backend.ID) (<-chan struct{}, func(), error) {
	if ctx.Err() != nil {
		return nil, nil, failure(ctx, "watch", context.Cause(ctx))
	}
	w := &watch{changed: make(chan struct{}, 1)}
	sub := s.watches.add(id, w)
	stop := sync.OnceFunc(func() { s.watches.remove(id, w) })
	err := sub.wait(ctx)
	if err == nil {
		_, err = s.run(ctx, s.scripts.watch, id, blank(0))
	}
	if err != nil {
		stop()
		return nil, nil, failure(ctx, "watch", err)
	}
	return w.changed, stop, nil
}

// watch is one caller's.
type watch struct{ changed chan struct{} }

func (w *watch) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// listener has the watches of a store, and the subscription behind them. Its methods may be called concurrently.
type listener struct {
	store *Store
	count atomic.Int64 // of watches

	mu      sync.Mutex
	watched map[backend.ID][]*watch
	sub     *subscription // nil where none runs
	idle    *time.Timer   // ends sub, while nobody watches
}

// has reports whether somebody watches the record through this store.
func (l *listener) has(id backend.ID) bool {
	if l.count.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.watched[id]) > 0
}

func (l *listener) add(id backend.ID, w *watch) *subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watched == nil {
		l.watched = make(map[backend.ID][]*watch)
	}
	l.watched[id] = append(l.watched[id], w)
	l.count.Add(1)
	if l.idle != nil {
		l.idle.Stop()
		l.idle = nil
	}
	if l.sub == nil {
		l.sub = l.subscribe()
	}
	return l.sub
}

func (l *listener) remove(id backend.ID, w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.watched[id][:0]
	for _, other := range l.watched[id] {
		if other != w {
			rest = append(rest, other)
		}
	}
	clear(l.watched[id][len(rest):])
	l.watched[id] = rest
	if len(rest) == 0 {
		delete(l.watched, id)
	}
	if l.count.Add(-1) == 0 && l.sub != nil {
		sub := l.sub
		l.idle = time.AfterFunc(linger, func() { l.expire(sub) })
	}
}

// expire ends a subscription that nobody came back to.
func (l *listener) expire(sub *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sub == sub && l.count.Load() == 0 {
		l.sub.cancel()
		l.sub = nil
	}
}

func (l *listener) close() {
	l.mu.Lock()
	sub := l.sub
	l.sub = nil
	if l.idle != nil {
		l.idle.Stop()
		l.idle = nil
	}
	l.mu.Unlock()
	if sub != nil {
		sub.cancel()
		<-sub.over
	}
}

// ended forgets a subscription that ended by itself, so that the next watch begins another.
func (l *listener) ended(sub *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sub == sub {
		l.sub = nil
	}
}

func (l *listener) wake(id backend.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.watched[id] {
		w.wake()
	}
}

func (l *listener) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, all := range l.watched {
		for _, w := range all {
			w.wake()
		}
	}
}

var errNoSubscription = errors.New("there is no subscription")
