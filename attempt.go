package idem

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/idem-go/idem/backend"
)

// Attempt describes the run that a function belongs to.
type Attempt struct {
	Number   int  // 1 for the first run of a record, one more at every takeover
	Takeover bool // an earlier attempt was abandoned; its effect may have happened
	Rerun    int  // DoTx: how often the database rolled this transaction back and it was run again
	Key      Key  // the key of the call
}

// AttemptFrom returns the attempt that ctx belongs to: ctx is the context that idem gave to fn, or one derived from it.
func AttemptFrom(ctx context.Context) (Attempt, bool) {
	r := runFrom(ctx)
	if r == nil {
		return Attempt{}, false
	}
	return Attempt{Number: r.attempt, Takeover: r.attempt > 1, Rerun: r.rerun, Key: Key(r.claim.Key)}, true
}

// ChildKey returns a key for a call that fn makes downstream, such as to a payment gateway. It is the same on every
// attempt of this request, and another one for another label, another record or another request under the same key. It
// is 52 characters of A-Z and 2-7. ctx must come from fn.
func ChildKey(ctx context.Context, label string) (Key, error) {
	r := runFrom(ctx)
	if r == nil {
		return "", errNoAttempt
	}
	h := sha256.New()
	for _, field := range [][]byte{[]byte("idem/child/v1"), r.claim.ID[:], r.claim.Fingerprint[:], []byte(label)} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		h.Write(size[:])
		h.Write(field)
	}
	return Key(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil))), nil
}

// Note keeps up to 255 bytes with the record, such as "stripe pi_123", for whoever has to find out what became of it
// should this attempt end without an answer. It is sent to the store at once, with a renewal, so that it survives a
// crash; in a transaction it is kept only if the record is held. A later note replaces it. ctx must come from fn. Notes
// are shown to operators: put no secret into them.
func Note(ctx context.Context, text string) error {
	r := runFrom(ctx)
	if r == nil {
		return errNoAttempt
	}
	if len(text) > backend.MaxNote || badName(text) != "" {
		return fmt.Errorf("idem: a note is at most %d bytes of valid UTF-8 without control characters", backend.MaxNote)
	}
	if text == "" {
		return errors.New("idem: a note is empty")
	}
	return r.keepNote(ctx, text)
}

// runContext is the context that fn gets: it carries the run without an allocation of its own.
type runContext struct {
	lateContext
	run *run
}

type runKey struct{}

func (c *runContext) Value(key any) any {
	if key == (runKey{}) {
		return c.run
	}
	return c.lateContext.Value(key)
}

func runFrom(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}
