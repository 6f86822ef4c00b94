package backendtest_test

import (
	"testing"

	"github.com/idem-go/idem/backend/backendtest"
	"github.com/idem-go/idem/backend/memtest"
)

// txFlaws holds at least one flaw for every row of TxRules.
var txFlaws = []flaw{
	{"forgets its answer", "T14 effect, claim and answer commit together"},
	{"rolls back what stores no answer", "T14 a transaction that stores no answer commits its claim"},
	{"commits in spite of an error", "T14 an error rolls everything back"},
	{"commits in spite of a panic", "T14 a panic rolls everything back"},
	{"commits in spite of an exit", "T14 an exit rolls everything back"},
	{"takes over outside of the transaction", "T2 a takeover that is rolled back gives the claim back"},

	{"runs in spite of Replay", "T9 a replay does not run"},
	{"runs in spite of Mismatch", "T10 a mismatch does not run"},
	{"runs in spite of InFlight", "T11 a claim in flight does not run"},
	{"runs in spite of Held", "a held record does not run"},
	{"does not take over", "T2 a transaction takes a lapsed claim over"},
	{"asks outside for its own claim", "a transaction sees its own claim"},
	{"forgets a hold in a transaction", "a transaction may hold or release its record"},
	{"forgets a release in a transaction", "a transaction may hold or release its record"},

	{"lets a duplicate wait", "a duplicate of a transaction is in flight at once"},
	{"lets a duplicate wait", "a duplicate of a joined transaction is in flight at once"},
	{"lets a duplicate wait", "a duplicate of a takeover in a transaction is in flight at once"},
	{"has one lock for all transactions", "transactions of other records do not wait"},
	{"claims after it ran", "of simultaneous transactions one runs"},

	{"settles without the answer", "Settle finds a committed transaction"},
	{"settles everything as kept", "Settle finds that a transaction was rolled back"},
	{"settles without waiting", "Settle waits for the transaction's end"},

	{"rolls back what went well in a Nested", "Nested keeps what went well"},
	{"keeps what failed in a Nested", "Nested rolls an error back to its savepoint"},
	{"keeps what panicked in a Nested", "Nested rolls a panic back to its savepoint"},
	{"keeps what failed in a Nested", "Nested rolls an exit back to its savepoint"},
	{"keeps a claim that failed in a Nested", "Nested rolls a claim back to its savepoint"},

	{"forgets its answer", "Join is seen once the caller commits"},
	{"asks outside for its own claim", "Join is gone once the caller rolls back"},
	{"completes outside of the transaction", "T14 Join completes a claim that was made before"},
	{"keeps whatever is completed in a transaction", "T14 Join tells a stale owner that his claim is lost"},
	{"does not replay in a transaction", "Join replays what is committed"},

	{"looks at no context", "a context that ends while run runs rolls everything back"},
	{"looks at no context", "a context that ended before claims nothing"},
	{"commits under its caller's context", "a context that ends after run returned undoes nothing"},
	{"commits and says that it did not", "a context that ends with run leaves all or nothing"},
}

func TestATransactorWithoutAFlawPassesEveryRow(t *testing.T) {
	t.Parallel()
	backendtest.RunTransactor(t, func(*testing.T) backendtest.TxHarness[*memtest.Tx] { return txHarness(none) })
}

func TestATransactorWithoutAFlawSkipsNothing(t *testing.T) {
	t.Parallel()
	for _, rule := range backendtest.TxRules[*memtest.Tx]() {
		tb := outcome(t, func(tb backendtest.TB) { rule.Check(tb, txHarness(none)) })
		if tb.failure != "" || tb.skipped() {
			t.Errorf("%s: failed with %q, logged %q; want it to pass and to skip nothing", rule.Name, tb.failure, tb.logs)
		}
	}
}

func TestEveryFlawOfATransactorFailsTheRowNamedForIt(t *testing.T) {
	t.Parallel()
	rows := make(map[string]backendtest.TxRule[*memtest.Tx])
	for _, rule := range backendtest.TxRules[*memtest.Tx]() {
		rows[rule.Name] = rule
	}
	found := 0
	for _, f := range txFlaws {
		tb := outcome(t, func(tb backendtest.TB) { rows[f.row].Check(tb, txHarness(f.name)) })
		if tb.failure == "" {
			t.Errorf("a transactor that %s passes %q", f.name, f.row)
			continue
		}
		t.Logf("a transactor that %s: %s", f.name, tb.failure)
		found++
	}
	t.Logf("%d of %d flaws fail the row named for them", found, len(txFlaws))
}

func TestEveryRowAboutTransactionsFindsAFlaw(t *testing.T) {
	t.Parallel()
	var names []string
	for _, rule := range backendtest.TxRules[*memtest.Tx]() {
		names = append(names, rule.Name)
		if rule.Text == "" {
			t.Errorf("row %q has no text", rule.Name)
		}
	}
	everyRowFindsAFlaw(t, names, txFlaws)
}

func TestRowsThatADatabaseCannotShowAreSkipped(t *testing.T) {
	t.Parallel()
	skipped := 0
	for _, rule := range backendtest.TxRules[*memtest.Tx]() {
		h := txHarness(none)
		h.OneWriter, h.BeforeCommit = true, nil
		tb := outcome(t, func(tb backendtest.TB) { rule.Check(tb, h) })
		if tb.failure != "" {
			t.Errorf("%s: fails: %s", rule.Name, tb.failure)
		}
		if tb.skipped() {
			skipped++
		}
	}
	if skipped != 5 {
		t.Errorf("%d rows are skipped, want 5: four with two writers, one that needs BeforeCommit", skipped)
	}
}

func TestAStoreThatIsNoTransactorIsToldSo(t *testing.T) {
	t.Parallel()
	h := txHarness(none)
	h.Harness = harness(none)
	tb := outcome(t, func(tb backendtest.TB) { backendtest.TxRules[*memtest.Tx]()[0].Check(tb, h) })
	if tb.failure == "" {
		t.Error("a store without transactions passes a row about them")
	}
}
