package backendtest_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
)

// flawedMaxAnswer is the size of the largest answer that a flawed store takes.
const flawedMaxAnswer = 2 << 20

// storage is what the handles of a flawed store share.
type storage struct {
	mu       sync.Mutex
	records  map[backend.ID]*row
	watches  map[backend.ID][]chan struct{}
	told     map[backend.ID]bool // a watch was told
	forgot   map[backend.Token]bool
	ahead    time.Duration
	readable map[string]backend.ID
}

func newStorage() *storage {
	return &storage{
		records: map[backend.ID]*row{}, watches: map[backend.ID][]chan struct{}{}, told: map[backend.ID]bool{},
		forgot: map[backend.Token]bool{}, readable: map[string]backend.ID{},
	}
}

// row is a record of a flawed store.
type row struct {
	state             backend.State
	claim             backend.Claim // the one that has the record
	first             backend.Token
	attempt           int
	since, made, ends time.Time // entered its state; was claimed; end of the lease
	expires           time.Time // zero: never
	answer            []byte
	note              string
	renewed, resolved bool
}

// flawed is a plain store, written without a look at memtest, that breaks the contract in the one way that flaw names.
// With none it keeps it.
type flawed struct {
	*storage
	flaw string
}

func (s *flawed) has(flaw string) bool { return flaw != "" && s.flaw == flaw }

func (s *flawed) now() time.Time { return time.Now().Add(s.ahead) }

// gap lets others in between a decision and its write.
func (s *flawed) gap(flaw string) {
	if s.has(flaw) {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
}

// id is the key under which a record is kept.
func (s *flawed) id(id backend.ID) backend.ID {
	if s.has("cuts ids to 16 bytes") {
		clear(id[16:])
	}
	return id
}

// idOf also sees the readable identity.
func (s *flawed) idOf(c backend.Claim) backend.ID {
	if !s.has("folds the case of the readable identity") {
		return s.id(c.ID)
	}
	folded := strings.ToLower(c.Guard + "/" + c.User + "/" + c.Key)
	if _, known := s.readable[folded]; !known {
		s.readable[folded] = c.ID
	}
	return s.readable[folded]
}

// get returns the record if it is not Absent.
func (s *flawed) get(id backend.ID) *row {
	r := s.records[s.id(id)]
	if r == nil || r.expires.IsZero() || s.now().Before(r.expires) {
		return r
	}
	return nil
}

// getOwned is get for the calls under a token.
func (s *flawed) getOwned(id backend.ID) *row {
	if s.has("lets an owner write to his expired record") {
		return s.records[s.id(id)]
	}
	return s.get(id)
}

func (s *flawed) sameRequest(a, b backend.Fingerprint) bool {
	if s.has("compares half of a fingerprint") {
		return bytes.Equal(a[:16], b[:16])
	}
	return a == b
}

func (s *flawed) sameToken(a, b backend.Token) bool {
	if s.has("compares half of a token") {
		return bytes.Equal(a[:8], b[:8])
	}
	return a == b
}

func (s *flawed) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	if err := ctx.Err(); err != nil && !s.has("begins after its context ended") {
		return backend.Grant{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ID = s.idOf(c)
	r := s.get(c.ID)
	if g, lost := s.lostRace(r, c); lost {
		return g, nil
	}
	g := s.decide(r, c)
	if s.has("tells the attempt with every verdict") {
		g.Attempt = 1
	}
	return g, nil
}

// lostRace looks, lets others in, and looks again: two ways to forget a rule for who comes second.
func (s *flawed) lostRace(r *row, c backend.Claim) (backend.Grant, bool) {
	const anyRequest, anyToken = "forgets the fingerprint when it loses a race", "forgets the token when it loses a race"
	if r != nil || !s.has(anyRequest) && !s.has(anyToken) {
		return backend.Grant{}, false
	}
	s.gap(anyRequest)
	s.gap(anyToken)
	r = s.get(c.ID)
	if r == nil || s.has(anyToken) && r.claim.Fingerprint != c.Fingerprint {
		return backend.Grant{}, false
	}
	return backend.Grant{Verdict: backend.InFlight}, true
}

func (s *flawed) decide(r *row, c backend.Claim) backend.Grant {
	now := s.now()
	if r != nil && s.mismatch(r, c, now) {
		if s.has("gives a record up on a mismatch") && c.Hold && now.After(r.ends) {
			s.giveUp(r, "")
		}
		return backend.Grant{Verdict: backend.Mismatch}
	}
	switch {
	case r == nil:
		return s.create(c)
	case r.state == backend.Done && s.has("takes an empty answer for none") && len(r.answer) == 0:
		return s.create(c)
	case r.state == backend.Done:
		return s.replay(r)
	case r.state == backend.Unknown && !s.has("runs an Unknown record again"):
		return backend.Grant{Verdict: backend.Held, Age: now.Sub(r.since)}
	case s.sameToken(r.claim.Token, c.Token) && !s.has("takes a Begin that is sent again for another's"):
		if s.has("renews on a Begin that is sent again") {
			s.lease(r, c.Lease, c.Retention)
		}
		return backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
	case s.live(r, now):
		return s.inFlight(r, c)
	default:
		return s.lapsed(r, c)
	}
}

// mismatch says whether the record belongs to another request, where the flaw lets it look.
func (s *flawed) mismatch(r *row, c backend.Claim, now time.Time) bool {
	live := now.Before(r.ends)
	switch {
	case r.state == backend.Pending && live && s.has("compares the fingerprint after in flight"),
		r.state == backend.Pending && !live && s.has("takes over without looking at the fingerprint"),
		r.state == backend.Done && s.has("replays for another request"),
		r.state == backend.Unknown && s.has("compares the fingerprint after held"),
		r.claim.Token == c.Token && s.has("compares the token before the fingerprint"):
		return false
	default:
		return !s.sameRequest(r.claim.Fingerprint, c.Fingerprint)
	}
}

func (s *flawed) live(r *row, now time.Time) bool {
	switch {
	case s.has("never takes over"):
		return true
	case s.has("takes over while the lease is live"):
		return now.Before(r.ends.Add(-5 * time.Minute))
	default:
		return now.Before(r.ends)
	}
}

func (s *flawed) inFlight(r *row, c backend.Claim) backend.Grant {
	if s.has("renews for a claim that is refused") {
		s.lease(r, c.Lease, c.Retention)
	}
	g := backend.Grant{Verdict: backend.InFlight, Age: s.now().Sub(r.since), LeaseLeft: r.ends.Sub(s.now())}
	if s.has("does not tell what is left of the lease") {
		g.LeaseLeft = 0
	}
	return g
}

func (s *flawed) lapsed(r *row, c backend.Claim) backend.Grant {
	old, holds := *r, r.claim.Hold || c.Hold
	switch {
	case s.has("runs a claim that holds again"):
		holds = c.Hold
	case s.has("looks at the record's Hold alone"):
		holds = r.claim.Hold
	}
	if holds {
		s.giveUp(r, "")
		return backend.Grant{Verdict: backend.Held}
	}
	s.gap("takes over without a lock")
	r.state, r.claim, r.attempt, r.since, r.made = backend.Pending, c, old.attempt+1, s.now(), s.now()
	s.lease(r, c.Lease, c.Retention)
	switch {
	case s.has("takes over without a new lease"):
		r.ends = old.ends
	case s.has("forgets the fingerprint at a takeover"):
		r.claim.Fingerprint = backend.Fingerprint{}
	case s.has("keeps the old token at a takeover"):
		r.claim.Token = old.claim.Token
	case s.has("keeps the first claim's retention at a takeover"):
		r.expires = old.expires
	}
	return backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
}

func (s *flawed) create(c backend.Claim) backend.Grant {
	old := s.records[c.ID]
	s.gap("claims without a lock")
	if old != nil {
		s.gap("claims an expired record without a lock")
	}
	r := &row{state: backend.Pending, claim: c, first: c.Token, attempt: 1, since: s.now(), made: s.now()}
	switch {
	case s.has("counts attempts from zero"):
		r.attempt = 0
	case old != nil && s.has("keeps an expired record's token"):
		r.claim.Token = old.claim.Token
	case old != nil && s.has("lets a new claim inherit the old one's Hold"):
		r.claim.Hold = old.claim.Hold
	case old != nil && s.has("lets a new claim inherit the old one's note"):
		r.note = old.note
	}
	s.lease(r, c.Lease, c.Retention)
	s.records[c.ID] = r
	return backend.Grant{Verdict: backend.Claimed, Attempt: r.attempt}
}

func (s *flawed) lease(r *row, lease, retention time.Duration) {
	r.ends = s.now().Add(lease)
	switch {
	case r.claim.Hold && !s.has("forgets a claim that holds"):
		r.expires = time.Time{}
	case s.has("forgets a claim when its lease is over"):
		r.expires = r.ends
	case s.has("remembers an abandoned claim for ever"):
		r.expires = time.Time{}
	default:
		r.expires = r.ends.Add(retention)
	}
}

func (s *flawed) giveUp(r *row, note string) {
	r.state = backend.Unknown
	if !s.has("ages an Unknown record from its claim") {
		r.since = s.now()
	}
	if !s.has("forgets an Unknown record") {
		r.expires = time.Time{}
	}
	if note != "" && !s.has("forgets the note of a hold") {
		r.note = note
	}
}

func (s *flawed) replay(r *row) backend.Grant {
	if s.has("starts the retention again at a replay") {
		r.expires = s.now().Add(time.Hour)
	}
	g := backend.Grant{Verdict: backend.Replay, Answer: r.answer, Attempt: r.attempt, Age: s.now().Sub(r.since)}
	if !s.has("does not say what is left of the retention") {
		g.RetentionLeft = r.expires.Sub(s.now())
	}
	return g
}
