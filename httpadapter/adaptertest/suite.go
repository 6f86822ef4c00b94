package adaptertest

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// TB is what a rule needs of a test; *testing.T has it. Fatalf must end the calling goroutine.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
	Cleanup(func())
}

var _ TB = (*testing.T)(nil)

// Service is what a rule wants to have guarded.
type Service struct {
	Guard   *idem.Guard
	User    httpadapter.UserFunc // also for an adapter whose own function takes something else
	Options []httpadapter.Option

	// Next is the handler, for every path and every method. It must get the writer and the request that handlers of the
	// framework get, wherever the framework keeps them.
	Next http.HandlerFunc
}

// Harness is an adapter and a store. Every rule gets a fresh one.
type Harness struct {
	// Build returns the handler of a server: s.Next behind the adapter under test, and nothing that recovers from panics. A
	// rule may call it more than once, as for two processes, and may put one guarded handler inside of another.
	Build func(TB, Service) http.Handler

	// Open returns another handle on the storage. What it opens it closes with Cleanup.
	Open func(TB) backend.Store

	// Advance moves the store's clock forward by d, or every time in the storage back by d.
	Advance func(TB, time.Duration)

	// Inject makes calls on the store fail, whichever handle they come through. Nil: such rows are skipped.
	Inject func(TB, memtest.Fault)

	// Width is how many clients meet in a race. Zero is 8.
	Width int

	// Patience is how long a client waits for an answer, and a rule for what should come soon. Zero is 20 s.
	Patience time.Duration
}

// Memory is a harness without an adapter: a store in memory that is fresh, and can fail.
func Memory() Harness {
	store := new(memtest.Store)
	return Harness{
		Open:    func(TB) backend.Store { return store },
		Advance: func(_ TB, d time.Duration) { store.Advance(d) },
		Inject:  func(_ TB, f memtest.Fault) { store.Inject(f) },
	}
}

func (h Harness) withDefaults() Harness {
	if h.Width == 0 {
		h.Width = 8
	}
	if h.Patience == 0 {
		h.Patience = 20 * time.Second
	}
	return h
}

// Rule is one row: a sentence of the contract and its check. Check fails through TB.Fatalf; it needs a fresh harness.
type Rule struct {
	Name  string // also the subtest's
	Text  string
	Check func(TB, Harness)
}

// Rules returns every rule that an adapter must keep.
func Rules() []Rule {
	return slices.Concat(
		keyRules, requestRules, scopeRules, replayRules, storedRules, refusalRules, bodyRules, handlerRules, flightRules,
		expiryRules, faultRules,
	)
}

// Run checks every rule in a subtest of its own, on the fresh harness that newHarness makes for it. newHarness may call
// t.Parallel.
func Run(t *testing.T, newHarness func(*testing.T) Harness) {
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			h := newHarness(t)
			t.Log(rule.Text)
			for _, q := range Requirements() {
				if slices.Contains(q.Rows, rule.Name) {
					t.Log(q)
				}
			}
			rule.Check(t, h)
		})
	}
}
