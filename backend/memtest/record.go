package memtest

import (
	"bytes"
	"time"

	"github.com/idem-go/idem/backend"
)

// record is one row. It is only touched under its shard's lock; its answer is never changed once it stands there.
type record struct {
	token            backend.Token
	fingerprint      backend.Fingerprint
	state            backend.State
	hold             bool
	attempt          int
	guard, user, key string
	note             string
	answer           []byte
	since            instant // when it entered its state
	leaseEnd         instant
	expires          instant // may be never
}

// gone is what a rule returns to have the record removed.
var gone = new(record)

// rule is one atomic step: it is shown the record, nil where it is Absent, and returns what to write: nil for nothing,
// gone for removal, or the record to keep, which may be r itself, changed in place.
type rule func(r *record, now instant) (*record, backend.Grant)

func (r *record) expired(now instant) bool {
	return r.expires != never && now >= r.expires
}

// live returns r, or nil where r is Absent to every rule.
func (r *record) live(now instant) *record {
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

func (r *record) enter(state backend.State, now instant) {
	r.state, r.since = state, now
}

// lease starts a lease now. A claim that holds outlives everything; another one is forgotten a retention later.
func (r *record) lease(lease, retention time.Duration, now instant) {
	r.leaseEnd, r.expires = now.add(lease), never
	if !r.hold {
		r.expires = r.leaseEnd.add(retention)
	}
}

func (r *record) claim(c *backend.Claim, now instant) backend.Grant {
	r.enter(backend.Pending, now)
	r.token, r.hold = c.Token, c.Hold
	r.attempt++
	r.lease(c.Lease, c.Retention, now)
	return backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
}

func (r *record) finish(c *backend.Completion, now instant) {
	r.enter(backend.Done, now)
	r.answer = bytes.Clone(c.Answer)
	r.expires = now.add(c.Retention)
}

// giveUp makes r Unknown. An empty note keeps the one that a renewal left.
func (r *record) giveUp(note string, now instant) {
	r.enter(backend.Unknown, now)
	r.expires = never
	r.remark(note)
}

func (r *record) remark(note string) {
	if note != "" {
		r.note = note
	}
}

func (r *record) replay(now instant) backend.Grant {
	return backend.Grant{
		Verdict: backend.Replay, Answer: r.answer, Attempt: r.attempt,
		Age: now.since(r.since), RetentionLeft: r.expires.since(now),
	}
}

func verdict(v backend.Verdict) backend.Grant { return backend.Grant{Verdict: v} }

func begin(r *record, c *backend.Claim, now instant) (*record, backend.Grant) {
	switch {
	case r == nil:
		r = &record{fingerprint: c.Fingerprint, guard: c.Guard, user: c.User, key: c.Key}
		return r, r.claim(c, now)
	case r.fingerprint != c.Fingerprint:
		return nil, verdict(backend.Mismatch)
	case r.state == backend.Done:
		return nil, r.replay(now)
	case r.state == backend.Unknown:
		return nil, backend.Grant{Verdict: backend.Held, Age: now.since(r.since)}
	case r.token == c.Token:
		return nil, backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
	case now < r.leaseEnd:
		return nil, backend.Grant{Verdict: backend.InFlight, Age: now.since(r.since), LeaseLeft: r.leaseEnd.since(now)}
	case r.hold || c.Hold:
		r.giveUp("", now)
		return r, verdict(backend.Held)
	default:
		return r, r.claim(c, now)
	}
}

func renew(r *record, token backend.Token, n *backend.Renewal, now instant) (*record, backend.Grant) {
	if !r.under(backend.Pending, token) {
		return nil, verdict(backend.Lost)
	}
	r.lease(n.Lease, n.Retention, now)
	r.remark(n.Note)
	return r, verdict(backend.Kept)
}

func complete(r *record, token backend.Token, c *backend.Completion, now instant) (*record, backend.Grant) {
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

func hold(r *record, token backend.Token, note string, now instant) (*record, backend.Grant) {
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
