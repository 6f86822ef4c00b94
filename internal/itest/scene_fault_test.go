package itest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// storeFaults are calls on a store that fails.
var storeFaults = []scene{
	{"a claim that fails", idem.CodeUnavailable, faulty(memtest.Fault{Op: memtest.OpBegin, Count: -1, Err: errDown})},
	{"a claim that is sent again", idem.CodeNone, faulty(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.LoseAck, Err: errDown})},
	{"a completion that is sent again", idem.CodeNone, faulty(memtest.Fault{Op: memtest.OpComplete, Mode: memtest.LoseAck, Err: errDown})},
	{"a completion that fails", idem.CodeNotStored, faulty(memtest.Fault{Op: memtest.OpComplete, Count: -1, Err: backend.ErrUnsupported})},
	{"a corrupt record", idem.CodeCorrupt, faulty(memtest.Fault{Op: memtest.OpBegin, Err: backend.ErrCorrupt})},
	{"a user whom the store does not know", idem.CodeInvalidUser, faulty(memtest.Fault{Op: memtest.OpBegin, Err: backend.ErrUnknownUser})},
	{"an outcome that cannot be held", idem.CodeNotStored, func(a *actor) error {
		store, g := a.memory(idem.Hold)
		store.Inject(memtest.Fault{Op: memtest.OpHold, Count: -1, Err: backend.ErrUnsupported})
		return a.do(g, fails)
	}},
	{"a store that takes no large answers", idem.CodeAnswerNotKept, func(a *actor) error {
		store, g := a.memory()
		store.SetMaxAnswer(20)
		require.NoError(a, a.do(g, succeeds))
		return a.do(g, succeeds)
	}},
	{"a renewal that fails", idem.CodeNone, func(a *actor) error {
		store, g := a.memory(idem.Lease(lease))
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Err: errDown})
		return a.do(g, func(context.Context, charge) (receipt, error) {
			a.until(idem.EventRenewFailed)
			return answered, nil
		})
	}},
	{"a note that cannot be sent", idem.CodeUnavailable, func(a *actor) error {
		store, g := a.memory()
		store.Inject(memtest.Fault{Op: memtest.OpRenew, Err: errDown})
		return a.do(g, func(ctx context.Context, _ charge) (receipt, error) { return answered, idem.Note(ctx, markBody) })
	}},
	{"a claim that is lost", idem.CodeLeaseLost, func(a *actor) error {
		_, g := a.memory()
		return a.do(g, func(ctx context.Context, _ charge) (receipt, error) {
			return answered, g.Forget(ctx, markKey, markUser)
		})
	}},
	{"a takeover", idem.CodeNone, func(a *actor) error {
		store, g := a.memory(idem.Retention(time.Hour))
		return a.do(g, func(context.Context, charge) (receipt, error) {
			store.Advance(time.Minute)
			return answered, a.do(g, succeeds)
		})
	}},
}

// faulty makes a call on a store with a fault.
func faulty(f memtest.Fault) func(*actor) error {
	return func(a *actor) error {
		store, g := a.memory()
		store.Inject(f)
		return a.do(g, succeeds)
	}
}

// transactionFaults are calls of DoTx and JoinTx on a store that fails.
var transactionFaults = []scene{
	{"a transaction and its replay", idem.CodeNone, func(a *actor) error {
		_, g := a.memory(idem.Tx)
		require.NoError(a, a.doTx(g, nil))
		return a.doTx(g, nil)
	}},
	{"a transaction that fails", idem.CodeOther, func(a *actor) error {
		_, g := a.memory(idem.Tx)
		return a.doTx(g, errFn)
	}},
	{"a transaction with a final error", idem.CodeOther, func(a *actor) error {
		_, g := a.memory(idem.Tx)
		return a.doTx(g, idem.Final(errFn))
	}},
	{"a transaction whose outcome is held", idem.CodeUnknownOutcome, func(a *actor) error {
		_, g := a.memory(idem.Tx)
		require.ErrorIs(a, a.doTx(g, idem.Uncertain(errFn)), errFn)
		return a.doTx(g, nil)
	}},
	{"a transaction that the database rolls back", idem.CodeNone, faultyTx(memtest.Fault{Op: memtest.OpCommit, Count: 2, Err: backend.ErrConflict})},
	{"a COMMIT without an answer", idem.CodeNone, faultyTx(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.LoseAck, Err: errDown})},
	{"a COMMIT of which nothing can be found out", idem.CodeCommitUnknown, func(a *actor) error {
		store, g := a.memory(idem.Tx)
		store.Inject(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.LoseAck, Err: errDown})
		store.Inject(memtest.Fault{Op: memtest.OpSettle, Count: -1, Err: backend.ErrUnsupported})
		return a.doTx(g, nil)
	}},
	{"a statement of fn that the database always rolls back", idem.CodeConflict, func(a *actor) error {
		_, g := a.memory(idem.Tx)
		return a.doTx(g, fmt.Errorf("%w: %w", errFn, backend.ErrConflict))
	}},
	{"an answer in a joined transaction", idem.CodeNone, func(a *actor) error {
		store, g := a.memory(idem.Tx)
		tx := store.BeginTx(a.Context())
		require.NoError(a, a.join(g, tx, nil))
		require.NoError(a, tx.Commit())
		return a.doTx(g, nil)
	}},
	{"an error in a joined transaction", idem.CodeOther, func(a *actor) error {
		store, g := a.memory(idem.Tx)
		tx := store.BeginTx(a.Context())
		err := a.join(g, tx, errFn)
		require.NoError(a, tx.Rollback())
		return err
	}},
	{"a joined transaction that is over", idem.CodeNoTransactions, func(a *actor) error {
		store, g := a.memory(idem.Tx)
		tx := store.BeginTx(a.Context())
		require.NoError(a, tx.Rollback())
		return a.join(g, tx, nil)
	}},
}

// faultyTx makes a call of DoTx on a store with a fault.
func faultyTx(f memtest.Fault) func(*actor) error {
	return func(a *actor) error {
		store, g := a.memory(idem.Tx)
		store.Inject(f)
		return a.doTx(g, nil)
	}
}

// doTx makes the marked call, whose fn returns the answer and err.
func (a *actor) doTx(g *idem.Guard, err error) error {
	_, err = idem.DoTx(a.Context(), g, markKey, markUser, marked, func(context.Context, *memtest.Tx, charge) (receipt, error) {
		return answered, err
	})
	return a.canary.hear(err)
}

func (a *actor) join(g *idem.Guard, tx *memtest.Tx, err error) error {
	_, err = idem.JoinTx(a.Context(), g, tx, markKey, markUser, marked, func(context.Context, *memtest.Tx, charge) (receipt, error) {
		return answered, err
	})
	return a.canary.hear(err)
}
