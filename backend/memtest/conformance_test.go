package memtest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	"github.com/idem-go/idem/backend/memtest"
)

const tooLarge = 4 << 20

func harness() (*memtest.Store, backendtest.Harness) {
	store := new(memtest.Store)
	store.SetMaxAnswer(tooLarge - 1)
	return store, backendtest.Harness{
		Open:     func(backendtest.TB) backend.Store { return store },
		Advance:  func(_ backendtest.TB, d time.Duration) { store.Advance(d) },
		TooLarge: tooLarge,
	}
}

func txHarness() backendtest.TxHarness[*memtest.Tx] {
	store, h := harness()
	var effects atomic.Int64
	return backendtest.TxHarness[*memtest.Tx]{
		Harness: h,
		Effect: func(_ context.Context, tx *memtest.Tx) error {
			tx.OnCommit(func() { effects.Add(1) })
			return nil
		},
		Effects: func(backendtest.TB) int { return int(effects.Load()) },
		Begin: func(tb backendtest.TB) backendtest.Transaction[*memtest.Tx] {
			tx := store.BeginTx(tb.Context())
			return backendtest.Transaction[*memtest.Tx]{Tx: tx, Commit: tx.Commit, Rollback: tx.Rollback}
		},
		BeforeCommit: func(_ backendtest.TB, do func()) { store.Inject(memtest.Fault{Op: memtest.OpCommit, Do: do}) },
	}
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(t *testing.T) backendtest.Harness {
		t.Parallel()
		_, h := harness()
		return h
	})
}

func TestStoreKeepsTheContractOfTransactions(t *testing.T) {
	t.Parallel()
	backendtest.RunTransactor(t, func(t *testing.T) backendtest.TxHarness[*memtest.Tx] {
		t.Parallel()
		return txHarness()
	})
}
