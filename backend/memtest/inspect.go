package memtest

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/idem-go/idem/backend"
)

// Lookup shows one record as backend.Inspector says.
func (s *Store) Lookup(ctx context.Context, id backend.ID) (backend.Record, error) {
	if ctx.Err() != nil {
		return backend.Record{}, context.Cause(ctx)
	}
	sh := s.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	if r := sh.records[id].live(now); r != nil {
		return r.shown(id, now), nil
	}
	return backend.Record{}, nil
}

// List shows records in the order of their ids as backend.Inspector says. A limit below 1 is an error. Each shard is
// shown as it is when it is reached.
func (s *Store) List(ctx context.Context, f backend.Filter, after backend.Cursor, limit int) ([]backend.Record, backend.Cursor, error) {
	if limit < 1 {
		return nil, backend.Cursor{}, errors.New("memtest: List: the limit must be at least 1")
	}
	var page []backend.Record
	for i := shardOf(backend.ID(after)); i < shardCount; i++ {
		if ctx.Err() != nil {
			return nil, backend.Cursor{}, context.Cause(ctx)
		}
		page = append(page, s.shards[i].list(s.now, f, backend.ID(after))...)
		if len(page) > limit {
			page = page[:limit]
			return page, backend.Cursor(page[limit-1].Ref.ID()), nil
		}
	}
	return page, backend.Cursor{}, nil
}

func (sh *shard) list(clock func() instant, f backend.Filter, after backend.ID) []backend.Record {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := clock()
	var found []backend.Record
	for id, r := range sh.records {
		if bytes.Compare(id[:], after[:]) > 0 && r.live(now) != nil && r.matches(f, now) {
			found = append(found, r.shown(id, now))
		}
	}
	slices.SortFunc(found, func(a, b backend.Record) int {
		x, y := a.Ref.ID(), b.Ref.ID()
		return bytes.Compare(x[:], y[:])
	})
	return found
}

func (r *record) matches(f backend.Filter, now instant) bool {
	return (f.Guard == "" || f.Guard == r.guard) &&
		(f.User == "" || f.User == r.user) &&
		(f.State == backend.Absent || f.State == r.state) &&
		(f.OlderThan == 0 || now.since(r.since) > f.OlderThan)
}

func (r *record) shown(id backend.ID, now instant) backend.Record {
	shown := backend.Record{
		Ref: backend.NewRef(id, r.token), Guard: r.guard, User: r.user, Key: r.key,
		State: r.state, Attempt: r.attempt, Hold: r.hold, Fingerprint: r.fingerprint,
		Age: now.since(r.since), Note: r.note, AnswerSize: len(r.answer),
	}
	if r.state == backend.Pending {
		shown.LeaseLeft = r.leaseEnd.since(now)
	}
	if r.expires != never {
		shown.ExpiresIn = r.expires.since(now)
	}
	return shown
}

// Forget removes a record as backend.Inspector says. An expired one is Absent: it is not reported.
func (s *Store) Forget(ctx context.Context, id backend.ID) (bool, error) {
	g, err := s.call(ctx, step{id: id, do: func(r *record, _ instant) (*record, backend.Grant) {
		if r == nil {
			return nil, verdict(backend.Lost)
		}
		return gone, verdict(backend.Kept)
	}})
	return g.Verdict == backend.Kept, err
}

// ForgetUser removes all records of a user under a guard as backend.Inspector says. Records that open transactions
// claim are not there yet.
func (s *Store) ForgetUser(ctx context.Context, guard, user string) (int, error) {
	removed := 0
	for i := range s.shards {
		for _, id := range s.shards[i].owned(s.now, guard, user) {
			there, err := s.Forget(ctx, id)
			if err != nil {
				return removed, err
			}
			if there {
				removed++
			}
		}
	}
	return removed, nil
}

func (sh *shard) owned(clock func() instant, guard, user string) []backend.ID {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := clock()
	var ids []backend.ID
	for id, r := range sh.records {
		if r.guard == guard && r.user == user && r.live(now) != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Resolve gives an Unknown record an answer as backend.Inspector says. The record keeps its own fingerprint.
func (s *Store) Resolve(ctx context.Context, ref backend.Ref, c backend.Completion) (backend.Grant, error) {
	return s.call(ctx, step{id: ref.ID(), size: len(c.Answer), do: func(r *record, now instant) (*record, backend.Grant) {
		if !r.shownAs(ref) {
			return nil, verdict(backend.Lost)
		}
		r.finish(&c, now)
		return r, verdict(backend.Kept)
	}})
}

// Free removes an Unknown record as backend.Inspector says.
func (s *Store) Free(ctx context.Context, ref backend.Ref) (backend.Grant, error) {
	return s.call(ctx, step{id: ref.ID(), do: func(r *record, _ instant) (*record, backend.Grant) {
		if !r.shownAs(ref) {
			return nil, verdict(backend.Lost)
		}
		return gone, verdict(backend.Kept)
	}})
}

// shownAs reports whether r is still the Unknown claim that ref points at.
func (r *record) shownAs(ref backend.Ref) bool {
	return r != nil && r.state == backend.Unknown && ref.Matches(r.token)
}
