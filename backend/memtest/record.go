package memtest

import (
	"bytes"
	"time"

	"github.com/idem-go/idem/backend"
)

// record is one row. It is only touched under its shard's lock; its answer is never changed once it stands there.
type record struct {
	state            backend.State
	hold             bool
	attempt          int
	token            backend.Token
	fingerprint      backend.Fingerprint
	guard, user, key string
	note             string
	answer           []byte
	since            time.Time // when it entered its state
	leaseEnd         time.Time
	expires          time.Time // zero: never
}

// gone is what a rule returns to have the record removed.
var gone = new(record)

// rule is one atomic step: it is shown the record, nil where it is Absent, and returns what to write: nil for nothing,
// gone for removal, or the record to keep, which may be r itself, changed in place.
type rule func(r *record, now time.Time) (*record, backend.Grant)

func (r *record) expired(now time.Time) bool {
	return !r.expires.IsZero() && !now.Before(r.expires)
}

// live returns r, or nil where r is Absent to every rule.
func (r *record) live(now time.Time) *record {
	if r == nil || r == gone || r.expired(now) {
		return nil
	}
	return r
}

func (r *record) clone() *record {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

// under reports whether r is in the given state under token.
func (r *record) under(state backend.State, token backend.Token) bool {
	return r != nil && r.state == state && r.token == token
}

func (r *record) enter(state backend.State, now time.Time) {
	r.state, r.since = state, now
}

// lease starts a lease now. A claim that holds outlives everything; another one is forgotten a retention later.
func (r *record) lease(lease, retention time.Duration, now time.Time) {
	r.leaseEnd = now.Add(lease)
	r.expires = time.Time{}
	if !r.hold {
		r.expires = r.leaseEnd.Add(retention)
	}
}

func (r *record) claim(c *backend.Claim, now time.Time) backend.Grant {
	r.enter(backend.Pending, now)
	r.token, r.hold = c.Token, c.Hold
	r.attempt++
	r.lease(c.Lease, c.Retention, now)
	return backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
}

func (r *record) finish(c *backend.Completion, now time.Time) {
	r.enter(backend.Done, now)
	r.answer = bytes.Clone(c.Answer)
	r.expires = now.Add(c.Retention)
}

// giveUp makes r Unknown. An empty note keeps the one that a renewal left.
func (r *record) giveUp(note string, now time.Time) {
	r.enter(backend.Unknown, now)
	r.expires = time.Time{}
	r.remark(note)
}

func (r *record) remark(note string) {
	if note != "" {
		r.note = note
	}
}

func (r *record) replay(now time.Time) backend.Grant {
	return backend.Grant{
		Verdict: backend.Replay, Answer: r.answer, Attempt: r.attempt,
		Age: now.Sub(r.since), RetentionLeft: r.expires.Sub(now),
	}
}

func verdict(v backend.Verdict) backend.Grant { return backend.Grant{Verdict: v} }

func begin(r *record, c *backend.Claim, now time.Time) (*record, backend.Grant) {
	switch {
	case r == nil:
		r = &record{fingerprint: c.Fingerprint, guard: c.Guard, user: c.User, key: c.Key}
		return r, r.claim(c, now)
	case r.fingerprint != c.Fingerprint:
		return nil, verdict(backend.Mismatch)
	case r.state == backend.Done:
		return nil, r.replay(now)
	case r.state == backend.Unknown:
		return nil, backend.Grant{Verdict: backend.Held, Age: now.Sub(r.since)}
	case r.token == c.Token:
		return nil, backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
	case now.Before(r.leaseEnd):
		return nil, backend.Grant{Verdict: backend.InFlight, Age: now.Sub(r.since), LeaseLeft: r.leaseEnd.Sub(now)}
	case r.hold || c.Hold:
		r.giveUp("", now)
		return r, verdict(backend.Held)
	default:
		return r, r.claim(c, now)
	}
}

func renew(r *record, token backend.Token, n *backend.Renewal, now time.Time) (*record, backend.Grant) {
	if !r.under(backend.Pending, token) {
		return nil, verdict(backend.Lost)
	}
	r.lease(n.Lease, n.Retention, now)
	r.remark(n.Note)
	return r, verdict(backend.Kept)
}

func complete(r *record, token backend.Token, c *backend.Completion, now time.Time) (*record, backend.Grant) {
	switch {
	case r.under(backend.Pending, token):
		r.finish(c, now)
		return r, verdict(backend.Kept)
	case r.under(backend.Done, token):
		return nil, backend.Grant{Verdict: backend.Kept, Answer: r.answer}
	case r != nil && r.state == backend.Done && r.fingerprint == c.Fingerprint:
		return nil, r.replay(now)
	default:
		return nil, verdict(backend.Lost)
	}
}

func release(r *record, token backend.Token) (*record, backend.Grant) {
	if !r.under(backend.Pending, token) {
		return nil, verdict(backend.Lost)
	}
	return gone, verdict(backend.Kept)
}

func hold(r *record, token backend.Token, note string, now time.Time) (*record, backend.Grant) {
	switch {
	case r.under(backend.Pending, token):
		r.giveUp(note, now)
		return r, verdict(backend.Kept)
	case r.under(backend.Unknown, token):
		return nil, verdict(backend.Kept)
	default:
		return nil, verdict(backend.Lost)
	}
}
