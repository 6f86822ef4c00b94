package idem_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// charge and receipt are the request and the answer of most tests.
type charge struct {
	Account string
	Cents   int64
}

type receipt struct {
	ID    string
	Cents int64
}

var (
	errDeclined = errors.New("declined")
	five        = charge{Account: "acct-1", Cents: 500}
	six         = charge{Account: "acct-1", Cents: 600}
)

// gateway stands for the system that fn has its effect on.
type gateway struct{ runs atomic.Int64 }

func (gw *gateway) charge(_ context.Context, c charge) (receipt, error) {
	return receipt{ID: "ch_" + string(rune('0'+gw.runs.Add(1))), Cents: c.Cents}, nil
}

func (gw *gateway) count() int { return int(gw.runs.Load()) }

func newGuard(t testing.TB, store backend.Store, opts ...idem.GuardOption) *idem.Guard {
	t.Helper()
	g, err := idem.New("test", store, opts...)
	require.NoError(t, err)
	return g
}

// inBubble runs f in a synctest bubble with a fresh store and guard.
func inBubble(t *testing.T, f func(t *testing.T, store *memtest.Store, g *idem.Guard), opts ...idem.GuardOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := new(memtest.Store)
		f(t, store, newGuard(t, store, opts...))
	})
}

// events collects what an observer is told.
type events struct {
	mu   sync.Mutex
	seen []idem.Event
}

func (e *events) Observe(_ context.Context, ev idem.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, ev)
}

func (e *events) kinds() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := make([]string, 0, len(e.seen))
	for _, ev := range e.seen {
		names = append(names, ev.Kind.String())
	}
	return names
}

// state looks the record of (k, u) up as an operator would.
func state(t *testing.T, g *idem.Guard, key idem.Key) backend.State {
	t.Helper()
	rec, err := g.Lookup(context.Background(), key, "u")
	if errors.Is(err, idem.ErrNotFound) {
		return backend.Absent
	}
	require.NoError(t, err)
	return rec.State
}
