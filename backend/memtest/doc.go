// Package memtest is a store in memory: for the tests of programs that use idem, and for a program that runs alone while
// it is developed. Nothing in it survives the process and no other process sees it.
//
// The zero [Store] is ready:
//
//	store := new(memtest.Store)
//
// and backend.Open knows it, once this package is imported, as "memory:" (a store of its own) and "memory:NAME" (one
// store a name).
//
// # Time
//
// The store asks this process for the time, under its lock, and has no goroutine. Inside a testing/synctest bubble its
// leases and retentions follow the bubble's clock; elsewhere [Store.Advance] lets them run out.
//
// # Failures
//
// [Store.Inject] makes calls fail, lose their answer or come late, so that a test can look at what its program does when
// the store is down:
//
//	down := store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1})
//	defer down.Remove()
//
// [Store.StartLog] keeps the calls for a test to look at. Where neither is used they cost one atomic load a call.
// [Store.SetMaxAnswer] makes large answers fail.
//
// # Transactions
//
// The store is a backend.Transactor of [*Tx]. It has no tables, so an effect inside a transaction is a function given to
// [Tx.OnCommit].
package memtest
