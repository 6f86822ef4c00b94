package backendtest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
)

// patience is short for a store that will not do in time what it should.
func patience(flaw string) time.Duration {
	if flaw == none {
		return 0
	}
	return 50 * time.Millisecond
}

// rounds are many for a store that loses its races now and then.
func rounds(flaw string) int {
	if flaw == none {
		return 0
	}
	return 500
}

// harness opens flawed stores on one storage.
func harness(flaw string) backendtest.Harness {
	shared := newStorage()
	return backendtest.Harness{
		Open: func(backendtest.TB) backend.Store {
			if flaw == separate {
				return &flawed{newStorage(), flaw}
			}
			return &flawed{shared, flaw}
		},
		Advance: func(_ backendtest.TB, d time.Duration) {
			shared.mu.Lock()
			defer shared.mu.Unlock()
			shared.ahead += d
		},
		Patience: patience(flaw),
		Rounds:   rounds(flaw),
		TooLarge: flawedMaxAnswer + 1,
	}
}

func TestAStoreWithoutAFlawPassesEveryRow(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(*testing.T) backendtest.Harness { return harness(none) })
}

func TestAStoreWithoutAFlawSkipsNothing(t *testing.T) {
	t.Parallel()
	for _, rule := range backendtest.Rules() {
		tb := outcome(t, func(tb backendtest.TB) { rule.Check(tb, harness(none)) })
		if tb.failure != "" || tb.skipped() {
			t.Errorf("%s: failed with %q, logged %q; want it to pass and to skip nothing", rule.Name, tb.failure, tb.logs)
		}
	}
}

func TestEveryFlawFailsTheRowNamedForIt(t *testing.T) {
	t.Parallel()
	rows := make(map[string]backendtest.Rule)
	for _, rule := range backendtest.Rules() {
		rows[rule.Name] = rule
	}
	found := 0
	for _, f := range flaws {
		tb := outcome(t, func(tb backendtest.TB) { rows[f.row].Check(tb, harness(f.name)) })
		if tb.failure == "" {
			t.Errorf("a store that %s passes %q", f.name, f.row)
			continue
		}
		t.Logf("a store that %s: %s", f.name, tb.failure)
		found++
	}
	t.Logf("%d of %d flaws fail the row named for them", found, len(flaws))
}

func TestEveryRowFindsAFlaw(t *testing.T) {
	t.Parallel()
	var names []string
	for _, rule := range backendtest.Rules() {
		names = append(names, rule.Name)
		if rule.Text == "" {
			t.Errorf("row %q has no text", rule.Name)
		}
	}
	everyRowFindsAFlaw(t, names, flaws)
}

// everyRowFindsAFlaw checks that rows and flaws name each other, so that no row is left that cannot fail.
func everyRowFindsAFlaw(t *testing.T, rows []string, flaws []flaw) {
	t.Helper()
	finds := make(map[string]bool)
	for _, f := range flaws {
		finds[f.row] = true
		if !slices.Contains(rows, f.row) {
			t.Errorf("a flaw names the row %q, which does not exist", f.row)
		}
	}
	for i, row := range rows {
		if slices.Contains(rows[:i], row) {
			t.Errorf("two rows have the name %q", row)
		}
		if !finds[row] {
			t.Errorf("no flaw shows that row %q can fail", row)
		}
	}
}

// bare is a store that offers nothing beside backend.Store.
type bare struct{ backend.Store }

// silent is a store that never tells of anything.
type silent struct{ *flawed }

func (silent) Watch(context.Context, backend.ID) (<-chan struct{}, func(), error) {
	return nil, nil, fmt.Errorf("there is no listener: %w", backend.ErrUnsupported)
}

func TestRowsOfWatchesAreSkippedWhereAStoreTellsNothing(t *testing.T) {
	t.Parallel()
	skipped := 0
	for _, rule := range backendtest.Rules() {
		h := harness(none)
		open := h.Open
		h.Open = func(tb backendtest.TB) backend.Store { return silent{open(tb).(*flawed)} }
		tb := outcome(t, func(tb backendtest.TB) { rule.Check(tb, h) })
		if tb.failure != "" {
			t.Errorf("%s: a store that tells nothing fails: %s", rule.Name, tb.failure)
		}
		if tb.skipped() {
			skipped++
		}
	}
	if watches := 5; skipped != watches {
		t.Errorf("%d rows are skipped, want the %d of watches", skipped, watches)
	}
}

func TestRowsOfInterfacesThatAreNotOfferedAreSkipped(t *testing.T) {
	t.Parallel()
	skipped := 0
	for _, rule := range backendtest.Rules() {
		h := harness(none)
		open := h.Open
		h.Open = func(tb backendtest.TB) backend.Store { return bare{open(tb)} }
		h.TooLarge = 0
		tb := outcome(t, func(tb backendtest.TB) { rule.Check(tb, h) })
		if tb.failure != "" {
			t.Errorf("%s: a store without optional interfaces fails: %s", rule.Name, tb.failure)
		}
		if tb.skipped() {
			skipped++
		}
	}
	if optional := 6 + 7 + 5 + 3 + 7 + 5 + 1 + 3 + 1; skipped != optional {
		t.Errorf("%d rows are skipped, want %d: pruning 6, Lookup 7, List 5, forgetting 3, T13 7, watches 5, Check 1, "+
			"notes and names 3, an answer that is too large 1", skipped, optional)
	}
}
