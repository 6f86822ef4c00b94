package backendtest

import (
	"context"
	"slices"
	"testing"

	"github.com/idem-go/idem/backend"
)

// TxHarness reaches one storage whose store is a backend.Transactor[Tx], and knows the transactions of the caller.
type TxHarness[Tx any] struct {
	Harness

	// Effect makes one effect inside tx that the caller's own code might make: it inserts a row, say.
	Effect func(ctx context.Context, tx Tx) error

	// Effects counts the effects that were committed.
	Effects func(TB) int

	// Begin starts a transaction of the caller's own, at READ COMMITTED or stronger, for Join.
	Begin func(TB) Transaction[Tx]

	// OneWriter says that only one transaction of the database can write at a time, whatever it writes to. Rows in
	// which two are open at once are then skipped.
	OneWriter bool

	// BeforeCommit, which may be nil, has do called in the next InTx of either handle, after run returned nil and
	// before the COMMIT is sent. It returns at once. With nil the row that needs it is skipped.
	BeforeCommit func(tb TB, do func())
}

// Transaction is one that the caller started. Rollback after the end must be harmless.
type Transaction[Tx any] struct {
	Tx       Tx
	Commit   func() error
	Rollback func() error
}

// TxRule is one row about transactions.
type TxRule[Tx any] struct {
	Name  string
	Text  string
	Check func(TB, TxHarness[Tx])
}

// TxRules returns every rule that a store with transactions must keep beside Rules.
func TxRules[Tx any]() []TxRule[Tx] {
	return slices.Concat(
		commitRules[Tx](), rollbackRules[Tx](), verdictRules[Tx](), insideRules[Tx](), duplicateRules[Tx](),
		settleRules[Tx](), nestedRules[Tx](), joinRules[Tx](), txContextRules[Tx](),
	)
}

// RunTransactor checks every rule about transactions in a subtest of its own, as Run does. What makes a database roll
// back by itself (ErrConflict) or hide how a COMMIT ended (ErrCommitUnknown) cannot be provoked from here: a store's own
// tests do that.
func RunTransactor[Tx any](t *testing.T, newHarness func(*testing.T) TxHarness[Tx]) {
	for _, rule := range TxRules[Tx]() {
		t.Run(rule.Name, func(t *testing.T) {
			h := newHarness(t)
			t.Log(rule.Text)
			rule.Check(t, h)
		})
	}
}

// txRig is a rig whose handles are Transactors.
type txRig[Tx any] struct {
	*rig
	tx TxHarness[Tx]
}

func txRule[Tx any](name, text string, check func(*txRig[Tx])) TxRule[Tx] {
	return TxRule[Tx]{Name: name, Text: text, Check: func(tb TB, h TxHarness[Tx]) {
		tb.Helper()
		r := &txRig[Tx]{rig: newRig(tb, h.Harness), tx: h}
		r.transactor(0)
		check(r)
	}}
}

// twoWriters is txRule for a row in which two transactions are open at once.
func twoWriters[Tx any](name, text string, check func(*txRig[Tx])) TxRule[Tx] {
	return txRule(name, text, func(r *txRig[Tx]) {
		r.Helper()
		if r.tx.OneWriter {
			r.Logf("skipped: the database has one writer")
			return
		}
		check(r)
	})
}

func (r *txRig[Tx]) transactor(handle int) backend.Transactor[Tx] {
	r.Helper()
	store, ok := r.handles[handle].(backend.Transactor[Tx])
	if !ok {
		r.Fatalf("the store is a %T, which is no backend.Transactor of this harness's Tx", r.handles[handle])
	}
	return store
}

// body is what runs in a transaction.
type body[Tx any] func(context.Context, Tx, backend.TxStore) error

func (r *txRig[Tx]) inTx(ctx context.Context, a *attempt, run body[Tx]) (backend.Grant, error) {
	r.Helper()
	return r.transactor(a.handle).InTx(ctx, a.claim, run)
}

// runs is InTx with its verdict checked.
func (r *txRig[Tx]) runs(a *attempt, run body[Tx], want backend.Verdict) backend.Grant {
	r.Helper()
	g, err := r.inTx(r.Context(), a, run)
	return r.expect("InTx", g, err, want)
}

// work makes one effect and completes.
func (r *txRig[Tx]) work(a *attempt, answer string) body[Tx] {
	return func(ctx context.Context, tx Tx, s backend.TxStore) error {
		if err := r.tx.Effect(ctx, tx); err != nil {
			return err
		}
		g, err := s.Complete(ctx, a.claim.ID, a.claim.Token, a.completion([]byte(answer), retention))
		if err == nil {
			r.expect("Complete in a transaction", g, err, backend.Kept)
		}
		return err
	}
}

// never is the body of a transaction that must not run.
func (r *txRig[Tx]) never(context.Context, Tx, backend.TxStore) error {
	r.Fatalf("run was called")
	return nil
}

func (r *txRig[Tx]) effects(want int) {
	r.Helper()
	if got := r.tx.Effects(r.TB); got != want {
		r.Fatalf("%d effects are committed, want %d", got, want)
	}
}

// own starts a transaction of the caller's and joins it.
func (r *txRig[Tx]) own(a *attempt) (Transaction[Tx], backend.TxStore) {
	r.Helper()
	tx := r.tx.Begin(r.TB)
	r.Cleanup(func() { _ = tx.Rollback() })
	s, err := r.transactor(a.handle).Join(tx.Tx)
	if err != nil {
		r.Fatalf("Join failed: %v", err)
	}
	return tx, s
}

// joined begins and works inside a transaction of the caller's.
func (r *txRig[Tx]) joined(a *attempt, answer string) Transaction[Tx] {
	r.Helper()
	tx, s := r.own(a)
	g, err := s.Begin(r.Context(), a.claim)
	r.expect("Begin in a joined transaction", g, err, backend.Claimed)
	if err := r.work(a, answer)(r.Context(), tx.Tx, s); err != nil {
		r.Fatalf("working in a joined transaction failed: %v", err)
	}
	return tx
}
