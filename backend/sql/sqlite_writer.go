package sqlbackend

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/idem-go/idem/backend"
)

// writer lets one of a store's writers at a time at the database, first come, first served. Without it they would meet
// in SQLite's busy_timeout, which sleeps and is not fair.
type writer struct{ turn chan struct{} }

func newWriter() *writer { return &writer{turn: make(chan struct{}, 1)} }

// enter waits for the writer, or for the end of ctx, whose cause it returns. leave gives it back.
func (w *writer) enter(ctx context.Context) (leave func(), err error) {
	if w.lentTo(ctx) {
		return nil, errInside
	}
	select {
	case w.turn <- struct{}{}:
		return w.leave, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// lentTo reports whether ctx is that of a transaction which has the writer.
func (w *writer) lentTo(ctx context.Context) bool {
	l, ok := ctx.Value(lentKey{}).(*lent)
	return ok && l.writer == w && !l.over.Load()
}

func (w *writer) leave() { <-w.turn }

// lent marks the context of a transaction that has the writer, so that a write which waits for that very transaction
// is refused at once.
type lent struct {
	writer *writer
	over   atomic.Bool
}

type lentKey struct{}

var errInside = errors.New("this call is made inside a transaction of the same store, which has the only writer: use the transaction's own store (idem.JoinTx)")

// lend marks ctx for as long as the transaction has the writer.
func (w *writer) lend(ctx context.Context) (_ context.Context, over func()) {
	l := &lent{writer: w}
	return context.WithValue(ctx, lentKey{}, l), func() { l.over.Store(true) }
}

// running are the claims whose transactions are queued or open in this process. Nobody else can see them yet.
type running struct {
	mu     sync.Mutex
	claims map[backend.ID]*backend.Claim
}

func newRunning() *running { return &running{claims: make(map[backend.ID]*backend.Claim)} }

// enter takes c in, until leave is called. Where another claim is running, leave is nil and g its verdict.
func (r *running) enter(c *backend.Claim) (leave func(), g backend.Grant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g, taken := r.verdict(c); taken {
		return nil, g
	}
	r.claims[c.ID] = c
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.claims, c.ID)
	}, backend.Grant{}
}

// other returns what another claim of c's record that runs now means for c.
func (r *running) other(c *backend.Claim) (g backend.Grant, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.verdict(c)
}

// verdict is that of a record whose claim is not committed yet. Its age is not known: that would be for the database to
// say, and the transaction may hold the only connection.
func (r *running) verdict(c *backend.Claim) (backend.Grant, bool) {
	first, taken := r.claims[c.ID]
	switch {
	case !taken:
		return backend.Grant{}, false
	case first.Fingerprint != c.Fingerprint:
		return backend.Grant{Verdict: backend.Mismatch}, true
	default:
		return backend.Grant{Verdict: backend.InFlight, LeaseLeft: first.Lease}, true
	}
}
