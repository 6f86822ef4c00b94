// Package backend is the seam between idem's engine and the stores that keep its records.
//
// A user of idem opens a store ([Open], or a store package's own constructor) and hands it to idem.New; he never
// calls a store's methods. An author of a store implements [Store], adds whichever of the optional interfaces his
// database can offer ([Transactor], [Pruner], [Inspector], [Notifier], [Checker]), and proves it with the suite in
// package backend/backendtest. The contract text stands on the interface methods; every sentence has a case there.
//
// # The record
//
// A store keeps at most one record for an [ID]. It is in one of four states: [Absent], [Pending] (claimed by one
// attempt, under a random [Token] and a lease), [Done] (an answer is stored) or [Unknown] (an attempt ended without
// an answer and its effect may have happened).
//
// A record expires: a pending one that may be run again when its lease and then its retention are over, a done one
// when its retention is over, a held or unknown one never. An expired record is Absent for every rule, whether or
// not it has been removed yet.
//
// # Three laws
//
// The store's clock decides. Only durations cross this seam, and no store but one that lives in this process may
// ask this process for the time.
//
// Every decision and the write that follows from it are one atomic step, and every write but the claim is fenced
// by the token. Comparing states, attempts or times alone is not a fence.
//
// An answer is a value ([Grant]); an error means that the store failed and that nothing can be said about what it did.
package backend
