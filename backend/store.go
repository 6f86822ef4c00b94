package backend

import (
	"context"
	"time"
)

// Store keeps records. All methods may be called concurrently, from any number of processes on the same storage.
//
// Every method is idempotent under its own token: drivers and engines re-send a call whose answer was lost, and the
// second one must answer as the first one did. A returned error means that the store failed; the call may or may not
// have taken effect. Methods obey ctx and return soon after it ends.
//
// Store has five methods and stays so; everything else is an optional interface.
type Store interface {
	// Begin claims the record c.ID for the attempt c.Token, or says what is in the way. In this order:
	//
	//   - No record, or an expired one: it is now Pending under c.Token, with c.Fingerprint, attempt 1 and a lease of
	//     c.Lease from now. The verdict is Claimed. (T1)
	//   - The record has another fingerprint: Mismatch, whatever its state. Nothing changes. (T10)
	//   - Done: Replay, with the stored answer, its age and what is left of its retention. Nothing is written. (T9)
	//   - Unknown: Held. Nothing changes.
	//   - Pending under c.Token: Claimed, with the attempt it has. Nothing changes. (T1')
	//   - Pending, the lease not over: InFlight, with the age of the claim and what is left of the lease. Nothing
	//     changes. (T11)
	//   - Pending, the lease over, and the record or c says Hold: the record is now Unknown. The verdict is Held. (T3)
	//   - Pending, the lease over, otherwise: it is now Pending under c.Token with a new lease, its attempt one higher.
	//     The verdict is Claimed. (T2)
	//
	// Of any number of simultaneous calls with different tokens at most one is Claimed.
	Begin(ctx context.Context, c Claim) (Grant, error)

	// Renew extends the lease of a claim to r.Lease from now and keeps r.Note if it is not empty. A lease that ran
	// out is renewed too as long as nobody took the claim over. Kept; Lost if the record is not Pending under
	// token. (T4)
	Renew(ctx context.Context, id ID, token Token, r Renewal) (Grant, error)

	// Complete stores the answer. Pending under token becomes Done, even when the lease ran out meanwhile: Kept. (T5)
	// Done under token already: Kept, with the answer that is stored, and nothing changes. (T6)
	// Otherwise the caller is a stale owner and nothing changes: Replay with what is stored if the record is Done with
	// the same fingerprint and not expired, else Lost. (T7)
	// Complete returns an error that wraps ErrTooLarge if the store can never take an answer of this size.
	Complete(ctx context.Context, id ID, token Token, c Completion) (Grant, error)

	// Release frees the record: Pending under token becomes Absent. Kept; Lost, and nothing changes, if the record
	// is not Pending under token (which includes a re-sent Release). (T8)
	Release(ctx context.Context, id ID, token Token) (Grant, error)

	// Hold gives the record up without an answer: Pending under token becomes Unknown and keeps note; an empty note
	// keeps the one that a renewal left. Kept, also when it is Unknown under token already; otherwise Lost, and
	// nothing changes. (T8')
	Hold(ctx context.Context, id ID, token Token, note string) (Grant, error)
}

// Claim is what Begin asks for.
type Claim struct {
	ID          ID
	Token       Token // made for this attempt before the first Begin; the same when Begin is sent again
	Fingerprint Fingerprint
	Lease       time.Duration // how long a silent claim is honoured
	Retention   time.Duration // how long after its lease an abandoned claim that may be re-run is remembered
	Hold        bool          // an abandoned claim becomes Unknown instead of being run again

	// The readable identity, kept beside the record for operators and for a foreign key to users.
	Guard, User, Key string
}

// Renewal is what Renew asks for.
type Renewal struct {
	Lease     time.Duration
	Retention time.Duration // as in Claim: what the record outlives its new lease by
	Note      string        // at most MaxNote bytes; empty keeps the note that is there
}

// Completion is what Complete stores.
type Completion struct {
	Fingerprint Fingerprint   // of the request that was run: what a stale owner may be shown must answer it
	Answer      []byte        // an envelope that only the engine reads; the store must not change or keep the slice
	Retention   time.Duration // how long the answer replays, from now
}

// MaxNote is the most bytes that a note has.
const MaxNote = 255

// Verdict is what a store answers.
type Verdict uint8

// The verdicts. Begin answers with the first five, the other methods with Kept, Replay or Lost.
const (
	Claimed  Verdict = iota + 1 // run: the record is Pending under the caller's token
	Replay                      // an answer is stored: Grant.Answer
	Mismatch                    // the record belongs to another request
	InFlight                    // another attempt holds a live claim
	Held                        // an attempt ended without an answer, and it must not be run again
	Kept                        // done as asked
	Lost                        // the record is not under the caller's token any more
)

// String returns the verdict's name.
func (v Verdict) String() string {
	return name(int(v), "none", "Claimed", "Replay", "Mismatch", "InFlight", "Held", "Kept", "Lost")
}

// Grant is a store's answer. Fields that a verdict does not mention are zero.
type Grant struct {
	Verdict Verdict

	// Answer is what is stored, for Replay and for Kept by Complete. The caller must not change it. A Kept that did
	// store the caller's own answer may leave it nil.
	Answer []byte

	// Attempt counts the claims of this incarnation of the record, from 1: set for Claimed and Replay.
	Attempt int

	// Age is how long the record has been in its state, on the store's clock: since its claim for InFlight, since its
	// completion for Replay, since it was given up for Held.
	Age time.Duration

	// LeaseLeft is what is left of the lease, for InFlight.
	LeaseLeft time.Duration

	// RetentionLeft is for how long the answer still replays, for Replay.
	RetentionLeft time.Duration
}

// State is the state of a record.
type State uint8

// The states of a record.
const (
	Absent  State = iota // no record, or an expired one
	Pending              // claimed
	Done                 // an answer is stored
	Unknown              // given up without an answer
)

// String returns the state's name.
func (s State) String() string { return name(int(s), "Absent", "Pending", "Done", "Unknown") }

// name returns the i-th name, or the last word on a value that nobody defined.
func name(i int, names ...string) string {
	if i < len(names) {
		return names[i]
	}
	return "invalid"
}
