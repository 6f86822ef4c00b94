// Package backendtest is the conformance suite of backend.Store: what every store must do, one rule a row, whoever wrote
// the store. A store that passes may stand behind idem.
//
// # Using it
//
// Give [Run] a function that makes a fresh, empty storage and says how to reach it:
//
//	func TestConformance(t *testing.T) {
//		backendtest.Run(t, func(t *testing.T) backendtest.Harness {
//			table := newTable(t) // dropped by t.Cleanup
//			return backendtest.Harness{
//				Open: func(backendtest.TB) backend.Store {
//					return mystore.New(openPool(t), table)
//				},
//				Advance: func(tb backendtest.TB, d time.Duration) {
//					moveTimesBack(tb, table, d)
//				},
//			}
//		})
//	}
//
// Each rule is a subtest and logs the sentence of the contract that it stands for: go test -v shows the contract as it is
// checked. Name one with -run to work on it. Rows about an optional interface ([backend.Pruner], [backend.Inspector],
// [backend.Notifier], [backend.Checker]) pass with a log line that begins with "skipped" where the store does not offer it.
//
// A store that is a [backend.Transactor] is also given to [RunTransactor], with a [TxHarness] that knows how to make an
// effect inside a transaction and how to count the effects that were committed.
//
// # Time
//
// No row waits for a lease. [Harness.Advance] moves the store's clock, or where a server's clock cannot be moved, all
// times in the storage the other way. Rows use minutes and hours, and allow for the seconds that the test itself takes,
// so a precision of a second is enough.
//
// # Handles
//
// Rows open two stores on the storage and send every second call through the other one, since two processes on one
// database are the normal case. A store that keeps anything of a record in its own memory fails.
//
// # The suite is tested too
//
// The package's own test runs stores that are broken in one way each, and demands that the row named for the fault
// fails. A new rule needs a new broken store.
package backendtest
