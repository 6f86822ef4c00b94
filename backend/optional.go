package backend

import (
	"context"
	"time"
)

// Transactor is a store that can claim, run and complete inside one of its own transactions, so that effect, claim and
// answer commit together. Tx is the transaction type that it hands out. Methods may be called concurrently.
type Transactor[Tx any] interface {
	// InTx claims c inside a new transaction at READ COMMITTED or stronger. Where Begin's rules say Claimed it calls
	// run once with the transaction and a TxStore inside it; if run returns nil it commits and returns Claimed.
	// Otherwise it rolls back: where run was not called InTx returns the verdict that was in the way; where run
	// returned an error, panicked or exited, nothing of the transaction remains and run's own error, panic or exit
	// comes out.
	//
	// A duplicate whose first run is still uncommitted gets InFlight at once and does not wait for it, wherever the
	// database can tell. While run runs, ctx ending ends the transaction; once run returned nil, it does not.
	//
	// An error that wraps ErrConflict says that the database rolled everything back for a serialization failure or a
	// deadlock, and that the whole may be run again. One that wraps ErrCommitUnknown says that COMMIT was sent and its
	// answer did not come: Settle finds out.
	InTx(ctx context.Context, c Claim, run func(ctx context.Context, tx Tx, s TxStore) error) (Grant, error)

	// Join returns a store whose every call runs inside the caller's transaction. It neither commits nor rolls it
	// back. The store is for the goroutine that uses the transaction.
	Join(tx Tx) (TxStore, error)

	// Settle says how a transaction ended whose COMMIT had no answer: it waits, as long as ctx allows, until the
	// transaction is surely over, and then reads. Kept: the record is under token, with its answer if it is Done.
	// Lost: it is not, so the transaction was rolled back and may be run again. An error: not settled in time.
	Settle(ctx context.Context, id ID, token Token) (Grant, error)
}

// TxStore is a Store inside one transaction. It is not safe for concurrent use, as a transaction is not.
type TxStore interface {
	Store

	// Nested runs f under a savepoint. Where f returns an error, panics or exits, what was written inside f is rolled
	// back to the savepoint and the transaction can go on.
	Nested(ctx context.Context, f func(context.Context) error) error
}

// Pruner is a store that does not forget by itself. Pruning is never load-bearing: expiry is enforced when a record is
// read.
type Pruner interface {
	// Prune goes once over all records of the store, of every guard, in small steps with pauses between them: expired
	// ones become Absent, and Pending ones that hold and whose lease is over become Unknown (T12). The conditions
	// stand in the write itself, so a record that changes meanwhile is safe. It may run in any number of processes at
	// once. When ctx ends it returns what it did so far and ctx's cause; a later call goes on from there.
	Prune(ctx context.Context) (PruneStats, error)
}

// PruneStats says what a Prune did.
type PruneStats struct {
	Scanned int // records looked at, where the store knows
	Removed int // expired records that were removed
	Held    int // abandoned claims that became Unknown
}

// Add adds other to s.
func (s *PruneStats) Add(other PruneStats) {
	s.Scanned += other.Scanned
	s.Removed += other.Removed
	s.Held += other.Held
}

// Inspector is a store that an operator can look into. Methods may be called concurrently.
type Inspector interface {
	// Lookup returns the record, with State Absent if there is none.
	Lookup(ctx context.Context, id ID) (Record, error)

	// List returns at most limit records that match f, in the order of their ids, from after on. The zero Cursor is
	// the start; a zero Cursor in return says that there are no more.
	List(ctx context.Context, f Filter, after Cursor, limit int) ([]Record, Cursor, error)

	// Forget removes the record in whatever state it is and reports whether there was one. An attempt that still
	// runs loses its claim.
	Forget(ctx context.Context, id ID) (bool, error)

	// ForgetUser removes all records of a user under a guard and returns how many there were. A store that does not
	// keep readable identities returns an error that wraps ErrUnsupported.
	ForgetUser(ctx context.Context, guard, user string) (int, error)

	// Resolve gives the record that ref points at an answer: Unknown becomes Done. Kept; Lost, and nothing changes,
	// if ref's claim is not Unknown any more. (T13)
	Resolve(ctx context.Context, ref Ref, c Completion) (Grant, error)

	// Free removes the record that ref points at: Unknown becomes Absent. Kept; Lost, and nothing changes, if ref's
	// claim is not Unknown any more. (T13)
	Free(ctx context.Context, ref Ref) (Grant, error)
}

// Record is what an operator is shown. Durations are on the store's clock at the time of the call.
type Record struct {
	Ref              Ref
	Guard, User, Key string // empty where the store leaves readable identities out
	State            State
	Attempt          int
	Hold             bool
	Fingerprint      Fingerprint
	Age              time.Duration // since the record entered its state
	LeaseLeft        time.Duration // Pending: negative once the lease is over
	ExpiresIn        time.Duration // zero where the record never expires (Unknown, Pending with Hold)
	Note             string
	AnswerSize       int // bytes of the stored envelope
}

// Filter selects records. Zero fields select everything.
type Filter struct {
	Guard     string
	User      string
	State     State         // Absent selects every state
	OlderThan time.Duration // only records that have been in their state for longer
}

// Cursor is a place in a listing: the id of the last record that was returned. The zero value is the start.
type Cursor ID

// IsZero reports whether c is the start, or the end, of a listing.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// Notifier is a store that can tell soon when a record changed. It makes waiting prompt and is never load-bearing: the
// engine polls behind it, though rarely while a watch lasts.
type Notifier interface {
	// Watch returns a channel that receives, or is closed, soon after the record was completed, released or held. A
	// wake-up may be missed, come late or come for nothing, and after it the channel may tell nothing more: who still
	// waits watches again, and then asks. stop ends the watch and must be called; it may be called twice.
	//
	// An error says that nothing will be told, so that polls have to be as frequent as without a Notifier. It wraps
	// ErrUnsupported where that holds for as long as this record is waited for; else a later Watch may succeed.
	Watch(ctx context.Context, id ID) (changed <-chan struct{}, stop func(), err error)
}

// Checker is a store that can say whether its server's settings are safe for records that stand for money.
type Checker interface {
	Check(ctx context.Context) ([]Finding, error)
}

// Finding is one setting that a Checker has something to say about.
type Finding struct {
	Severity Severity
	Setting  string // the server's name for it
	Value    string // what it is now
	Advice   string // what may go wrong, and what to set
}

// Severity ranks findings.
type Severity uint8

// The severities: a Warning weakens a promise, an Error breaks one.
const (
	Warning Severity = iota + 1
	Error
)

// String returns the severity's name.
func (s Severity) String() string { return name(int(s), "none", "warning", "error") }
