package backendtest_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/idem-go/idem/backend"
)

func (s *flawed) Prune(ctx context.Context) (backend.PruneStats, error) {
	if ctx.Err() != nil && !s.has("prunes after its context ended") {
		return backend.PruneStats{}, context.Cause(ctx)
	}
	var stats backend.PruneStats
	for _, id := range s.prunable() {
		s.mu.Lock()
		s.prune(id, &stats)
		s.mu.Unlock()
	}
	return stats, nil
}

func (s *flawed) prunable() []backend.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []backend.ID
	for id := range s.records {
		if !s.has("prunes what it read before") || s.get(id) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *flawed) prune(id backend.ID, stats *backend.PruneStats) {
	if s.has("prunes what it read before") {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
	r := s.records[id]
	if r == nil {
		return
	}
	lapsed := r.state == backend.Pending && s.now().After(r.ends)
	switch {
	case s.has("prunes nothing"):
	case s.get(id) == nil, s.has("prunes without its WHERE"), s.has("prunes what it read before"),
		s.has("prunes Unknown records") && r.state == backend.Unknown,
		s.has("prunes a claim when its lease is over") && lapsed:
		delete(s.records, id)
		stats.Removed++
	case r.claim.Hold && lapsed && !s.has("does not give up what was abandoned"):
		s.giveUp(r, "")
		stats.Held++
	}
}

func (s *flawed) Lookup(_ context.Context, id backend.ID) (backend.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.get(id)
	switch {
	case r == nil && s.has("shows what expired"):
		r = s.records[s.id(id)]
	case r == nil && s.has("shows an absent record as pending"):
		return backend.Record{State: backend.Pending}, nil
	}
	if r == nil {
		return backend.Record{}, nil
	}
	return s.shown(r), nil
}

func (s *flawed) shown(r *row) backend.Record {
	now, c := s.now(), r.claim
	shown := backend.Record{
		Ref: s.ref(r), Guard: c.Guard, User: c.User, Key: c.Key, State: r.state, Attempt: r.attempt, Hold: c.Hold,
		Fingerprint: c.Fingerprint, Age: now.Sub(r.since), Note: r.note, AnswerSize: len(r.answer),
	}
	if r.state == backend.Pending && !s.has("shows no lease") {
		shown.LeaseLeft = r.ends.Sub(now)
	}
	if !r.expires.IsZero() {
		shown.ExpiresIn = r.expires.Sub(now)
	}
	switch {
	case s.has("shows an end of what holds") && c.Hold:
		shown.ExpiresIn = r.ends.Sub(now)
	case s.has("does not show the size of an answer"):
		shown.AnswerSize = 0
	case s.has("trims the readable identity"):
		shown.Key = strings.TrimSpace(c.Key)
	}
	return shown
}

// ref is what an operator is shown, and what Resolve and Free compare.
func (s *flawed) ref(r *row) backend.Ref {
	switch {
	case s.has("points at an attempt's number"):
		return backend.NewRef(r.claim.ID, backend.Token{byte(r.attempt)})
	case s.has("points at the first claim"):
		return backend.NewRef(r.claim.ID, r.first)
	default:
		return backend.NewRef(r.claim.ID, r.claim.Token)
	}
}

func (s *flawed) List(_ context.Context, f backend.Filter, after backend.Cursor, limit int) ([]backend.Record, backend.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []backend.Record
	for id, r := range s.records {
		beyond := bytes.Compare(id[:], after[:])
		inclusive := s.has("lists the cursor's record again") && beyond == 0
		if (beyond > 0 || inclusive) && s.matches(r, f) {
			page = append(page, s.shown(r))
		}
	}
	slices.SortFunc(page, func(a, b backend.Record) int {
		x, y := a.Ref.ID(), b.Ref.ID()
		if s.has("lists in another order") {
			x, y = y, x
		}
		return bytes.Compare(x[:], y[:])
	})
	if len(page) <= limit {
		return page, backend.Cursor{}, nil
	}
	return page[:limit], backend.Cursor(page[limit-1].Ref.ID()), nil
}

func (s *flawed) matches(r *row, f backend.Filter) bool {
	user := f.User == r.claim.User || s.has("folds the case of a user") && strings.EqualFold(f.User, r.claim.User)
	return (s.get(r.claim.ID) != nil || s.has("lists what expired")) &&
		(f.Guard == "" || f.Guard == r.claim.Guard) &&
		(f.User == "" || user) &&
		(f.State == backend.Absent || f.State == r.state || s.has("lists every state")) &&
		(s.now().Sub(r.since) > f.OlderThan || s.has("lists every age"))
}

func (s *flawed) Forget(_ context.Context, id backend.ID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget(id), nil
}

func (s *flawed) forget(id backend.ID) bool {
	r := s.get(id)
	if r == nil || s.has("forgets answers alone") && r.state != backend.Done {
		return false
	}
	if s.has("lets a forgotten attempt complete") {
		s.forgot[r.claim.Token] = true
	}
	delete(s.records, s.id(id))
	return true
}

func (s *flawed) ForgetUser(_ context.Context, guard, user string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for id, r := range s.records {
		anyGuard := s.has("forgets a user under every guard")
		folded := s.has("folds the case of a user") && strings.EqualFold(user, r.claim.User)
		if (r.claim.Guard == guard || anyGuard) && (r.claim.User == user || folded) && s.forget(id) {
			n++
		}
	}
	return n, nil
}

func (s *flawed) Resolve(_ context.Context, ref backend.Ref, c backend.Completion) (backend.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.get(ref.ID())
	if !s.shownAs(r, ref, "resolves by id and state", "resolves whatever is there") {
		return lost, nil
	}
	if s.has("resolves without an answer") {
		c.Answer = nil
	}
	s.finish(r, c)
	r.resolved = true
	return kept, nil
}

func (s *flawed) Free(_ context.Context, ref backend.Ref) (backend.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.get(ref.ID())
	if !s.shownAs(r, ref, "frees by id and state", "frees whatever is there") {
		return lost, nil
	}
	if !s.has("says Kept and frees nothing") {
		delete(s.records, s.id(ref.ID()))
	}
	return kept, nil
}

func (s *flawed) shownAs(r *row, ref backend.Ref, anyClaim, anyState string) bool {
	return r != nil && (r.state == backend.Unknown || s.has(anyState)) && (s.ref(r) == ref || s.has(anyClaim))
}

func (s *flawed) Watch(_ context.Context, id backend.ID) (<-chan struct{}, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has("cannot tell yet, for ever") {
		return nil, nil, errors.New("not connected yet")
	}
	changed := make(chan struct{}, 1)
	s.watches[id] = append(s.watches[id], changed)
	return changed, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watches[id] = slices.DeleteFunc(s.watches[id], func(c chan struct{}) bool {
			return c == changed || s.has("ends every watch with one")
		})
	}, nil
}

func (s *flawed) wake(id backend.ID, but string) {
	if s.has(but) || s.has("tells of a record's first claim alone") && s.told[id] {
		return
	}
	s.told[id] = true
	for _, changed := range s.watches[id] {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

func (s *flawed) Check(context.Context) ([]backend.Finding, error) {
	found := backend.Finding{Severity: backend.Error, Setting: "flaw", Value: s.flaw, Advice: "do not use it"}
	if s.has("finds without advice") {
		found.Advice = ""
	}
	return []backend.Finding{found}, nil
}
