package backendtest_test

import (
	"bytes"
	"context"
	"time"

	"github.com/idem-go/idem/backend"
)

var kept, lost = backend.Grant{Verdict: backend.Kept}, backend.Grant{Verdict: backend.Lost}

func (s *flawed) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil && !s.has("writes after its context ended") {
		return err
	}
	s.mu.Lock()
	return nil
}

// owns reports whether the record is in state under token, unless the flaw is not to look.
func (s *flawed) owns(r *row, state backend.State, token backend.Token, anyToken, anyState, notLapsed string) bool {
	switch {
	case r == nil:
		return false
	case r.state != state && !(s.has(anyState) && r.state != backend.Absent):
		return false
	case s.has(notLapsed) && s.now().After(r.ends):
		return false
	default:
		return s.sameToken(r.claim.Token, token) || s.has(anyToken)
	}
}

func (s *flawed) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	if err := s.enter(ctx); err != nil {
		return backend.Grant{}, err
	}
	defer s.mu.Unlock()
	r := s.getOwned(id)
	if !s.owns(r, backend.Pending, token, "renews without looking at the token", "renews whatever is there", "does not renew a lapsed lease") {
		return lost, nil
	}
	if s.has("takes a renewal once") && r.renewed {
		return lost, nil
	}
	old := *r
	r.renewed = true
	s.lease(r, n.Lease, n.Retention)
	switch {
	case s.has("adds a renewal to the old lease"):
		r.ends = old.ends.Add(n.Lease)
	case s.has("forgets the retention at a renewal"):
		r.expires = old.expires
	case s.has("makes a claim younger by a renewal"):
		r.since = s.now()
	}
	if n.Note != "" && !s.has("forgets the note of a renewal") {
		r.note = n.Note
	}
	return kept, nil
}

func (s *flawed) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	if err := s.enter(ctx); err != nil {
		return backend.Grant{}, err
	}
	defer s.mu.Unlock()
	if len(c.Answer) > flawedMaxAnswer {
		if s.has("frees the claim of an answer that is too large") {
			delete(s.records, s.id(id))
		}
		return backend.Grant{}, backend.ErrTooLarge
	}
	r := s.getOwned(id)
	if r == nil {
		return s.completeAbsent(id, token, c), nil
	}
	if s.completes(r, token) {
		s.gap("completes without a lock")
		s.finish(r, c)
		return kept, nil
	}
	return s.completeLate(r, token, c), nil
}

func (s *flawed) completes(r *row, token backend.Token) bool {
	switch {
	case s.has("completes an Unknown record") && r.state == backend.Unknown && r.claim.Token == token:
		return true
	case s.has("lets an old attempt answer after Resolve") && r.resolved && r.claim.Token == token:
		return true
	default:
		return s.owns(r, backend.Pending, token, "completes without looking at the token", "", "compares the lease at completion")
	}
}

func (s *flawed) completeAbsent(id backend.ID, token backend.Token, c backend.Completion) backend.Grant {
	if s.forgot[token] {
		return kept
	}
	if s.has("completes an absent record") {
		s.records[s.id(id)] = &row{claim: backend.Claim{ID: id, Token: token, Fingerprint: c.Fingerprint}, attempt: 1}
		s.finish(s.records[s.id(id)], c)
		return kept
	}
	if r := s.records[s.id(id)]; r != nil && r.state == backend.Done && s.has("tells a stale owner an expired answer") {
		return s.replay(r)
	}
	return lost
}

func (s *flawed) completeLate(r *row, token backend.Token, c backend.Completion) backend.Grant {
	same := s.sameRequest(r.claim.Fingerprint, c.Fingerprint) || s.has("tells a stale owner whatever is stored")
	switch {
	case r.state != backend.Done:
		return lost
	case s.sameToken(r.claim.Token, token) && !s.has("takes a Complete once"):
		return s.completeAgain(r, c)
	case same && !s.has("tells a stale owner nothing"):
		return s.replay(r)
	default:
		return lost
	}
}

func (s *flawed) completeAgain(r *row, c backend.Completion) backend.Grant {
	switch {
	case s.has("overwrites an answer by one that is sent again"):
		r.answer = bytes.Clone(c.Answer)
	case s.has("starts the retention again at a Complete that is sent again"):
		r.expires = s.now().Add(c.Retention)
	}
	return backend.Grant{Verdict: backend.Kept, Answer: r.answer}
}

func (s *flawed) finish(r *row, c backend.Completion) {
	if s.has("says Kept and stores nothing") {
		return
	}
	r.state, r.answer, r.expires = backend.Done, s.stored(c.Answer), s.now().Add(c.Retention)
	if !s.has("ages an answer from its claim") {
		r.since = s.now()
	}
	switch {
	case s.has("counts the retention from the claim"):
		r.expires = r.made.Add(c.Retention)
	case s.has("replays for ever"), s.has("keeps the answer of a claim that holds for ever") && r.claim.Hold:
		r.expires = time.Time{}
	}
	s.wake(r.claim.ID, "does not wake for an answer")
}

func (s *flawed) stored(answer []byte) []byte {
	switch {
	case s.has("keeps the caller's slice"):
		return answer
	case s.has("ends an answer at its first NUL"):
		answer, _, _ = bytes.Cut(answer, []byte{0})
	case s.has("cuts an answer at 64 KiB") && len(answer) > 1<<16:
		answer = answer[:1<<16]
	}
	return bytes.Clone(answer)
}

func (s *flawed) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	if err := s.enter(ctx); err != nil {
		return backend.Grant{}, err
	}
	defer s.mu.Unlock()
	r := s.getOwned(id)
	if !s.owns(r, backend.Pending, token, "releases without looking at the token", "releases whatever is there", "does not release a lapsed claim") {
		if s.has("says Kept to every release") {
			return kept, nil
		}
		return lost, nil
	}
	if s.has("holds instead of releasing") {
		s.giveUp(r, "")
	} else {
		delete(s.records, s.id(id))
	}
	s.wake(id, "does not wake for a release")
	return kept, nil
}

func (s *flawed) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	if err := s.enter(ctx); err != nil {
		return backend.Grant{}, err
	}
	defer s.mu.Unlock()
	r := s.getOwned(id)
	if s.owns(r, backend.Unknown, token, "", "", "") && !s.has("takes a hold once") {
		return kept, nil
	}
	if !s.owns(r, backend.Pending, token, "holds without looking at the token", "holds whatever is there", "does not hold a lapsed claim") {
		return lost, nil
	}
	if s.has("releases instead of holding") {
		delete(s.records, s.id(id))
	} else {
		s.giveUp(r, note)
	}
	s.wake(id, "does not wake for a hold")
	return kept, nil
}
