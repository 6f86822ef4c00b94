package idem

import (
	"context"
	"time"
)

// Call is a call in bytes, for adapters and whoever has no Go types to offer.
type Call struct {
	Key         Key
	User        User
	Fingerprint Fingerprint
	Codec       string // the name of the format of Answer.Payload, 1 to 64 bytes; see Codec.Name

	// Run does the work. It is called at most once in a call, on the caller's goroutine. A panic and runtime.Goexit in
	// it keep their course: under Hold the record is held, else released.
	Run func(context.Context) Answer
}

// Answer is what Run returns.
type Answer struct {
	// Payload is what is stored and replayed. It must not be changed before Exec has returned, and never where Exec
	// returned an error: the store may then still be at it.
	Payload []byte

	// Room says that the capacity behind Payload is nobody else's, so that the engine may write there instead of copying
	// Payload. It needs 7 bytes and the codec's name.
	Room bool

	// Tombstone is the small part, at most 4 KiB, that is kept where Payload is too large.
	Tombstone []byte

	// Err is set where the work ended in an error. Released or held, it comes out of Exec. Kept, Payload stands for it.
	Err error

	// Disposition says what becomes of the record. Zero leaves it to the guard: without Err the answer is kept, with
	// it OnError and the guarantee rule.
	Disposition Disposition

	// TombstoneOnly stores the tombstone whatever the size of Payload.
	TombstoneOnly bool

	notEncodable error // why TombstoneOnly was set by a codec
}

// Outcome is what became of a call.
type Outcome struct {
	Payload  []byte // what is stored; where nothing is stored, what Run returned. Not to be changed
	Kind     Kind
	Replayed bool          // the answer is that of another attempt
	Kept     bool          // the payload is stored and replays
	Attempt  int           // the attempt that gave the answer
	Age      time.Duration // how long ago the answer was stored, on the store's clock; 0 for the caller's own
}

// Exec is Do in bytes: it claims the record, runs call.Run, stores its answer and returns it, or returns the stored
// answer. Do, DoTx and every adapter stand on it. It may be called concurrently.
//
// It returns the errors that Do returns, with these differences. A kept error is an Outcome of KindError, not an error.
// Beside ErrNotStored the Outcome holds what Run returned. Beside ErrAnswerNotKept it holds the tombstone. After a
// release or a hold it holds what Run returned, and the error is Answer.Err, which may be nil.
func (g *Guard) Exec(ctx context.Context, call Call, opts ...CallOption) (Outcome, error) {
	s, err := g.prepare(opts)
	if err != nil {
		return Outcome{}, err
	}
	if err := call.check(); err != nil {
		return Outcome{}, err
	}
	return g.exec(ctx, nil, s, &call)
}

func (c *Call) check() error {
	if c.Run == nil {
		return optionError("Call.Run", "the function is nil")
	}
	return checkCodecName("Call.Codec", c.Codec)
}

// prepare returns the settings of a call that is not a transaction's.
func (g *Guard) prepare(opts []CallOption) (*settings, error) {
	if err := g.ready(); err != nil {
		return nil, err
	}
	if g.defaults.guarantee == Tx {
		return nil, wrongGuarantee("Do and Exec", g)
	}
	return g.with(opts)
}

func (g *Guard) exec(ctx context.Context, slot *Slot, s *settings, call *Call) (Outcome, error) {
	r := asking{slot: slot}
	if err := r.prepare(ctx, g, s, call); err != nil {
		return Outcome{}, g.refused(ctx, err)
	}
	return r.do(ctx)
}
