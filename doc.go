// Package idem lets any write be retried safely.
//
//	receipt, err := idem.Do(ctx, guard, key, user, req, chargeCard)
//
// A caller names an attempt by a [Key] and a [User] and hands over a typed request and a function. The first call runs
// the function and stores its answer; every later call with the same key, user and request gets the stored answer, from
// any process, without running the function again.
//
// # What happens in a call
//
// The request is fingerprinted; the record of (guard, user, key) is claimed in the guard's store under a lease; the
// function runs, on the caller's goroutine, while the lease is renewed; its answer is stored; then the caller gets it.
// Two round trips for a first run, one for a replay. A key that comes back with another request is [ErrMismatch], one
// whose first call is still running is [ErrInFlight] (or see [Wait]).
//
// # What is promised
//
// A guard has one of three guarantees, which say what becomes of an attempt that was lost because its process crashed,
// hung or was cut off:
//
//   - [Rerun], the default: one stored answer; after a crash the function may run again.
//   - [Hold]: at most one run that did not itself say that nothing happened; a lost attempt becomes unknown, for a
//     person or a reconciler to resolve.
//   - [Tx], with [DoTx]: effect, claim and answer commit together.
//
// Whatever any caller is told equals the stored answer, with one exception that says so: [ErrNotStored]. Every write to
// a record is fenced by a random token, so an attempt that was taken over can neither overwrite nor free what its
// successor did. Nothing is decided by this process's clock, and nothing fails open: if the store does not answer, the
// function does not run.
//
// # What is not promised
//
// No library can make a call to somebody else's system and a write to yours one step. Under Rerun a crash between the
// effect and its answer runs the function again: pass [ChildKey] downstream, so that the other side recognises it. Under
// Hold it leaves a question for a person. Only Tx makes both one, and only for effects inside its transaction.
//
// A store that loses acknowledged writes, such as a failover of asynchronous replicas, loses records.
//
// # Finding the way
//
// [New] makes a [Guard]; [Do] is the call; [For] binds a guard to an operation; [DoTx] and [JoinTx] are for transactions;
// [Guard.Exec] is the same in bytes, for adapters. [Final], [Uncertain] and [Undone] say what an error means for the
// record. [AttemptFrom], [ChildKey] and [Note] are for use inside the function. [Guard.Lookup], [Guard.List],
// [Guard.Release], [Op.Resolve], [Guard.Forget], [Guard.Prune] and [Guard.RunPruner] are for operators. [CodeOf] turns
// every error into one stable word. Stores are opened by backend.Open or by a store package's own constructor.
package idem
