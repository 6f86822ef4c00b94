package adaptertest_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/idem-go/idem/httpadapter/adaptertest"
)

// harness is an adapter on a store in memory.
func harness(build builder) adaptertest.Harness {
	h := adaptertest.Memory()
	h.Build = func(_ adaptertest.TB, s service) http.Handler { return build(s) }
	return h
}

// oneGuard is the flaw that needs a memory: every service gets the guard of the first.
func oneGuard() builder {
	var first *service
	return func(s service) http.Handler {
		if first == nil {
			first = &s
		}
		s.Guard = first.Guard
		return sound(s)
	}
}

func TestASoundAdapterPassesEveryRow(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		t.Parallel()
		return harness(sound)
	})
}

func TestEveryFlawFailsTheRowNamedForIt(t *testing.T) {
	t.Parallel()
	rows := make(map[string]adaptertest.Rule)
	for _, rule := range adaptertest.Rules() {
		rows[rule.Name] = rule
	}
	for _, f := range flaws {
		t.Run(f.name+"/"+f.row, func(t *testing.T) {
			t.Parallel()
			build := f.build
			if build == nil {
				build = oneGuard()
			}
			h := harness(build)
			h.Patience = patience(f)
			tb := outcome(t, func(tb adaptertest.TB) { rows[f.row].Check(tb, h) })
			if tb.failure == "" {
				t.Fatalf("an adapter that %s passes %q", f.name, f.row)
			}
			t.Logf("an adapter that %s: %s", f.name, tb.failure)
		})
	}
}

// patience is short where a flaw keeps clients waiting for ever.
func patience(f flaw) time.Duration {
	switch f.name {
	case "runs a duplicate in flight", "keeps its claims in one process", "lets one request in at a time",
		"runs a lapsed claim again under Hold":
		return time.Second
	}
	return 0
}

func TestEveryRowFindsAFlaw(t *testing.T) {
	t.Parallel()
	var names []string
	finds := make(map[string]bool)
	for _, f := range flaws {
		finds[f.row] = true
	}
	for _, rule := range adaptertest.Rules() {
		if rule.Text == "" {
			t.Errorf("row %q has no text", rule.Name)
		}
		if slices.Contains(names, rule.Name) {
			t.Errorf("two rows have the name %q", rule.Name)
		}
		if !finds[rule.Name] {
			t.Errorf("no flaw shows that row %q can fail", rule.Name)
		}
		names = append(names, rule.Name)
	}
	for row := range finds {
		if !slices.Contains(names, row) {
			t.Errorf("a flaw names the row %q, which does not exist", row)
		}
	}
}

// TestEveryRequirementIsCheckedOrExplained: rows are named as they are called, and what no row can check says why not.
func TestEveryRequirementIsCheckedOrExplained(t *testing.T) {
	t.Parallel()
	var names []string
	for _, rule := range adaptertest.Rules() {
		names = append(names, rule.Name)
	}
	for i, q := range adaptertest.Requirements() {
		if q.No != i+1 || q.Section == "" || q.Level == "" || q.Of == "" || q.Text == "" || q.Answer == "" {
			t.Errorf("requirement %d is not complete: %s", i+1, q)
		}
		if len(q.Rows) == 0 && q.Of != "client" {
			t.Errorf("no row checks requirement %d, which is not a client's: %s", q.No, q)
		}
		for _, row := range q.Rows {
			if !slices.Contains(names, row) {
				t.Errorf("requirement %d names the row %q, which does not exist", q.No, row)
			}
		}
	}
}

// TestRowsOfFaultsAreSkippedWhereTheStoreCannotFail, and no others.
func TestRowsOfFaultsAreSkippedWhereTheStoreCannotFail(t *testing.T) {
	t.Parallel()
	var skipped []string
	for _, rule := range adaptertest.Rules() {
		h := harness(sound)
		h.Inject = nil
		tb := outcome(t, func(tb adaptertest.TB) { rule.Check(tb, h) })
		if tb.failure != "" {
			t.Errorf("%s: %s", rule.Name, tb.failure)
		}
		if tb.skipped() {
			skipped = append(skipped, rule.Name)
		}
	}
	if len(skipped) != 4 {
		t.Errorf("%d rows are skipped, want the 4 about a store that fails: %q", len(skipped), skipped)
	}
}
