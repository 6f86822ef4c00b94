package sqlbackend

import (
	"errors"
	"testing"

	"github.com/idem-go/idem/backend"
)

// FuzzRow: whatever stands in a table, reading it does not panic; what cannot be a record is ErrCorrupt and no verdict, and
// what can be one gets a verdict that is true to it.
func FuzzRow(f *testing.F) {
	token, fp := backend.NewToken(), backend.NewFingerprint()
	f.Add(token[:], fp[:], []byte(nil), int64(1), int64(0), int64(1), int64(5), int64(-1), true)
	f.Add(token[:], fp[:], []byte("answer"), int64(2), int64(1), int64(2), int64(-5), int64(0), false)
	f.Add(token[:], fp[:], []byte(nil), int64(3), int64(1), int64(1), int64(1)<<62, int64(-1)<<63, true)
	f.Add(token[:], fp[:], []byte{}, int64(4), int64(0), int64(1), int64(0), int64(1), true)
	f.Add(token[:15], fp[:32], []byte{}, int64(0), int64(2), int64(0), int64(0), int64(1), false)
	f.Fuzz(func(t *testing.T, token, fingerprint, answer []byte, state, hold, attempt, age, left int64, same bool) {
		raw := rawRow{token: token, fingerprint: fingerprint, answer: answer, state: state, hold: hold, attempt: attempt, age: age, left: left}
		r, err := raw.row()
		fits := len(token) == 16 && len(fingerprint) == 33 && state >= 1 && state <= 3 && hold>>1 == 0 && attempt >= 1 && attempt < 1<<31
		if fits != (err == nil) || err != nil && !errors.Is(err, backend.ErrCorrupt) {
			t.Fatalf("%+v: %v", raw, err)
		}
		if err != nil {
			return
		}
		c := backend.Claim{Token: backend.NewToken(), Fingerprint: r.fingerprint}
		if !same {
			c.Fingerprint[len(c.Fingerprint)-1] ^= 1
		}
		m, g := decide(r, &c)
		want := map[backend.State]backend.Verdict{backend.Done: backend.Replay, backend.Unknown: backend.Held}[r.state]
		switch {
		case !same:
			want = backend.Mismatch
		case r.state == backend.Pending && left > 0:
			want = backend.InFlight
		case r.state == backend.Pending && hold == 1:
			want = backend.Held
		case r.state == backend.Pending:
			want = backend.Claimed
		}
		if writes := r.state == backend.Pending && same && left <= 0; g.Verdict != want || writes != (m != stay) || g.Age < 0 || g.LeaseLeft < 0 {
			t.Fatalf("%+v: %+v by move %d, want %v", raw, g, m, want)
		}
	})
}
