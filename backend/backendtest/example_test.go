package backendtest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	"github.com/idem-go/idem/backend/memtest"
)

// The test of a store, as its author writes it.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		backendtest.Run(t, func(t *testing.T) backendtest.Harness {
			t.Parallel()
			store := new(memtest.Store) // a table, a file, a key prefix: fresh for every rule
			return backendtest.Harness{
				Open:    func(backendtest.TB) backend.Store { return store },
				Advance: func(_ backendtest.TB, d time.Duration) { store.Advance(d) },
			}
		})
	}
}

// The test of a store with transactions. In a database an effect is a row of the caller's own table.
func ExampleRunTransactor() {
	_ = func(t *testing.T) { // func TestTransactions(t *testing.T)
		backendtest.RunTransactor(t, func(*testing.T) backendtest.TxHarness[*memtest.Tx] {
			store, rows := new(memtest.Store), new(atomic.Int64)
			return backendtest.TxHarness[*memtest.Tx]{
				Harness: backendtest.Harness{
					Open:    func(backendtest.TB) backend.Store { return store },
					Advance: func(_ backendtest.TB, d time.Duration) { store.Advance(d) },
				},
				Effect: func(_ context.Context, tx *memtest.Tx) error {
					tx.OnCommit(func() { rows.Add(1) })
					return nil
				},
				Effects: func(backendtest.TB) int { return int(rows.Load()) },
				Begin: func(tb backendtest.TB) backendtest.Transaction[*memtest.Tx] {
					tx := store.BeginTx(tb.Context())
					return backendtest.Transaction[*memtest.Tx]{Tx: tx, Commit: tx.Commit, Rollback: tx.Rollback}
				},
			}
		})
	}
}
