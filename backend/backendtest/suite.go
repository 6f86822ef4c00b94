package backendtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/idem-go/idem/backend"
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

// Harness reaches one storage. Every rule gets a fresh, empty one.
type Harness struct {
	// Open returns another handle on the storage: for a database, a store with a connection pool of its own. What it
	// opens it closes with Cleanup. A rule calls it more than once, and uses the handles side by side.
	Open func(TB) backend.Store

	// Advance moves the store's clock forward by d, or every time in the storage back by d. One rule may advance by up
	// to 25 years in all.
	Advance func(TB, time.Duration)

	// Width is how many goroutines meet in a race. Zero is 8.
	Width int

	// Rounds is how often a race is repeated. Zero is 20.
	Rounds int

	// Patience is how long a rule waits for what should come soon: a wake-up, or an answer that must not wait for
	// another transaction. Zero is 10 s.
	Patience time.Duration

	// TooLarge is the size in bytes of an answer that the store refuses with backend.ErrTooLarge. Zero says that no
	// answer which fits a test is too large.
	TooLarge int

	// SelfExpiring says that the storage removes expired records by itself, so that a Prune may find none to count.
	SelfExpiring bool
}

func (h Harness) withDefaults() Harness {
	if h.Width == 0 {
		h.Width = 8
	}
	if h.Rounds == 0 {
		h.Rounds = 20
	}
	if h.Patience == 0 {
		h.Patience = 10 * time.Second
	}
	return h
}

// Rule is one row: a sentence of the contract and its check. Check fails through TB.Fatalf; it needs a harness on a
// fresh storage.
type Rule struct {
	Name  string // also the subtest's: T1 to T14 are the design's names for the transitions
	Text  string
	Check func(TB, Harness)
}

// Rules returns every rule that a store must keep, in the order of the contract.
func Rules() []Rule {
	return slices.Concat(
		beginRules, refusalRules, renewRules, completeRules, staleRules, answerRules, releaseRules, holdRules,
		expiryRules, identityRules, contextRules, raceRules,
		pruneRules, lookupRules, listRules, forgetRules, resolveRules, watchRules, checkRules,
	)
}

// Run checks every rule in a subtest of its own, on the fresh harness that newHarness makes for it. newHarness may call
// t.Parallel.
func Run(t *testing.T, newHarness func(*testing.T) Harness) {
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			h := newHarness(t)
			t.Log(rule.Text)
			rule.Check(t, h)
		})
	}
}
