package redisbackend

import (
	"context"
	"errors"
	"fmt"

	"github.com/idem-go/idem/backend"
)

// Lookup shows one record as backend.Inspector says.
func (s *Store) Lookup(ctx context.Context, id backend.ID) (backend.Record, error) {
	seen, err := s.look(ctx, id)
	return seen.Record, failure(ctx, "lookup", err)
}

func (s *Store) look(ctx context.Context, id backend.ID) (shown, error) {
	r, err := s.run(ctx, s.scripts.show, id, blank(0))
	if err != nil {
		return shown{}, err
	}
	return r.record(id)
}

// Forget removes a record as backend.Inspector says, also one that is damaged. A key that holds something else, or a record
// of another version, is left alone: that is backend.ErrCorrupt, or backend.ErrVersion.
func (s *Store) Forget(ctx context.Context, id backend.ID) (bool, error) {
	g, err := ended(s.run(ctx, s.scripts.forget, id, blank(0)))
	return g.Verdict == backend.Kept, failure(ctx, "forget", err)
}

// ForgetUser removes all records of a user under a guard as backend.Inspector says. It scans all keys of the database, since
// Redis has no index of users: records that the user claims meanwhile may stay.
func (s *Store) ForgetUser(ctx context.Context, guard, user string) (int, error) {
	if !s.config.readable {
		return 0, nameless("forget a user")
	}
	removed := 0
	var unread error
	err := s.scan(ctx, func(ids []backend.ID) error {
		answers, err := s.runAll(ctx, s.scripts.forget, ids, append(blank(2), guard, user))
		removed += kept(answers, &unread)
		return err
	})
	if err == nil {
		err = unread
	}
	return removed, failure(ctx, "forget a user", err)
}

// Resolve gives an Unknown record an answer as backend.Inspector says. The record keeps its own fingerprint.
func (s *Store) Resolve(ctx context.Context, ref backend.Ref, c backend.Completion) (backend.Grant, error) {
	if err := s.limits.fits(c.Answer); err != nil {
		return s.result(ctx, "resolve", backend.Grant{}, err)
	}
	g, err := s.settle(ctx, ref, s.scripts.resolve.storing(c.Answer), expiry(milliseconds(c.Retention)), c.Answer)
	return s.result(ctx, "resolve", g, refusedAnswer(c.Answer, err))
}

// Free removes an Unknown record as backend.Inspector says.
func (s *Store) Free(ctx context.Context, ref backend.Ref) (backend.Grant, error) {
	g, err := s.settle(ctx, ref, s.scripts.remove)
	return s.result(ctx, "free", g, err)
}

// settle reads the token behind ref, whose hash is all that an operator was shown, and runs a script under it.
func (s *Store) settle(ctx context.Context, ref backend.Ref, sc script, args ...any) (backend.Grant, error) {
	seen, err := s.look(ctx, ref.ID())
	if err != nil {
		return backend.Grant{}, err
	}
	if seen.State != backend.Unknown || !ref.Matches(seen.token) {
		return backend.Grant{Verdict: backend.Lost}, nil
	}
	return ended(s.run(ctx, sc, ref.ID(), append(append(blank(3), claimOf(unknown, seen.token)), args...)))
}

// List shows records in the order of their ids as backend.Inspector says. Redis keeps keys in no order, so each page scans
// all keys of the database and reads every record that could be on it, and a listing of n records in pages of m reads up
// to n*n/m of them: give a filter, or a limit as large as what is looked for. A record that is there all the while is
// shown; one whose slot moves to another node of a Cluster meanwhile may be missed. A limit below 1 is an error.
func (s *Store) List(ctx context.Context, f backend.Filter, after backend.Cursor, limit int) ([]backend.Record, backend.Cursor, error) {
	if limit < 1 {
		return nil, backend.Cursor{}, errors.New("redisbackend: list: the limit must be at least 1")
	}
	if !s.config.readable && (f.Guard != "" || f.User != "") {
		return nil, backend.Cursor{}, nameless("list by guard or user")
	}
	p := page{after: backend.ID(after), room: limit + 1}
	err := s.scan(ctx, func(ids []backend.ID) error {
		ids = p.wanted(ids)
		answers, err := s.runAll(ctx, s.scripts.show, ids, blank(0))
		if err != nil {
			return err
		}
		for i, a := range answers {
			if a.err != nil {
				return fmt.Errorf("record %v: %w", ids[i], a.err)
			}
			seen, err := a.record(ids[i])
			if err != nil {
				return fmt.Errorf("record %v: %w", ids[i], err)
			}
			if seen.State != backend.Absent && matches(seen.Record, f) {
				p.add(seen.Record)
			}
		}
		return nil
	})
	if err != nil {
		return nil, backend.Cursor{}, failure(ctx, "list", err)
	}
	if len(p.records) <= limit {
		return p.records, backend.Cursor{}, nil
	}
	records := p.records[:limit]
	return records, backend.Cursor(records[limit-1].Ref.ID()), nil
}

func nameless(what string) error {
	return fmt.Errorf("redisbackend: %s: %w: it was made WithoutReadable", what, backend.ErrUnsupported)
}
