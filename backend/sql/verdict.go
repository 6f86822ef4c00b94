package sqlbackend

import "github.com/idem-go/idem/backend"

// move is what Begin has to write after it looked.
type move uint8

const (
	stay     move = iota // nothing: the verdict stands
	claim                // T1: no record
	takeOver             // T2: its lease is over and it may be run again
	abandon              // T3: its lease is over and it may not
)

// decide says what Begin's rules make of the record, nil where it is absent. The grant is the verdict once the move
// was made; each move is guarded by its own statement, so what changed since the look makes it fail, not err.
func decide(r *row, c *backend.Claim) (move, backend.Grant) {
	switch {
	case r == nil:
		return claim, backend.Grant{Verdict: backend.Claimed, Attempt: 1}
	case r.fingerprint != c.Fingerprint:
		return stay, backend.Grant{Verdict: backend.Mismatch}
	case r.state == backend.Done:
		return stay, r.replay()
	case r.state == backend.Unknown:
		return stay, backend.Grant{Verdict: backend.Held, Age: r.age}
	case r.token == c.Token:
		return stay, backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
	case r.left > 0:
		return stay, backend.Grant{Verdict: backend.InFlight, Age: r.age, LeaseLeft: r.left}
	case r.hold || c.Hold:
		return abandon, backend.Grant{Verdict: backend.Held}
	default:
		return takeOver, backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt + 1}
	}
}

// unseen is the answer to c where another transaction has claimed its record, which nobody can see yet: c's own lease is the
// best guess.
func unseen(c *backend.Claim) backend.Grant {
	return backend.Grant{Verdict: backend.InFlight, LeaseLeft: c.Lease}
}
