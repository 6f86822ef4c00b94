package sqlbackend

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/idem-go/idem/backend"
)

// showColumns are what scanRecord reads.
const showColumns = `id, token, fingerprint, state, hold, attempt, {now} - since, lease_until - {now}, expires_at - {now},
note, COALESCE(LENGTH(answer), 0), COALESCE(guard_name, ''), COALESCE(user_name, ''), COALESCE(key_text, '')`

func scanRecord(s scanner) (backend.Record, error) {
	var id []byte
	var raw rawRow
	var shown backend.Record
	err := s.Scan(&id, &raw.token, &raw.fingerprint, &raw.state, &raw.hold, &raw.attempt, &raw.age, &raw.left, &raw.expiry,
		&shown.Note, &shown.AnswerSize, &shown.Guard, &shown.User, &shown.Key)
	if err != nil {
		return backend.Record{}, err
	}
	r, err := raw.row()
	if err == nil && len(id) != len(backend.ID{}) {
		err = corrupt("its id has a wrong length")
	}
	if err != nil {
		return backend.Record{}, err
	}
	shown.Ref = backend.NewRef(backend.ID(id), r.token)
	shown.State, shown.Attempt, shown.Hold, shown.Fingerprint, shown.Age = r.state, r.attempt, r.hold, r.fingerprint, r.age
	if r.state == backend.Pending {
		shown.LeaseLeft = r.left
	}
	if r.state == backend.Done || r.state == backend.Pending && !r.hold {
		shown.ExpiresIn = duration(raw.expiry)
	}
	return shown, nil
}

// Lookup shows one record as backend.Inspector says.
func (s *Store) Lookup(ctx context.Context, id backend.ID) (backend.Record, error) {
	var shown backend.Record
	err := s.readOne(ctx, s.records.sql.show, func(row scanner) (err error) {
		shown, err = scanRecord(row)
		return err
	}, id[:])
	return shown, failure(ctx, "lookup", err, s.engine.classify)
}

// List shows records in the order of their ids as backend.Inspector says. It reads the table from the cursor on until
// it has found enough. A limit below 1 is an error.
func (s *Store) List(ctx context.Context, f backend.Filter, after backend.Cursor, limit int) ([]backend.Record, backend.Cursor, error) {
	if limit < 1 {
		return nil, backend.Cursor{}, errors.New("sqlbackend: list: the limit must be at least 1")
	}
	if !s.config.readable && (f.Guard != "" || f.User != "") {
		return nil, backend.Cursor{}, unreadable("list by guard or user")
	}
	from := present(nil)
	if !after.IsZero() {
		from = after[:]
	}
	older := int64(math.MinInt64)
	if f.OlderThan != 0 {
		older = milliseconds(f.OlderThan)
	}
	state := int64(f.State)
	var page []backend.Record
	err := s.engine.find(ctx, func(ctx context.Context, on session) error {
		page = nil
		rows, err := on.query(ctx, s.records.sql.list, from, state, state, f.Guard, f.Guard, f.User, f.User, older, int64(limit)+1)
		return each(rows, err, func(row scanner) error {
			shown, err := scanRecord(row)
			page = append(page, shown)
			return err
		})
	})
	if err != nil {
		return nil, backend.Cursor{}, failure(ctx, "list", err, s.engine.classify)
	}
	if len(page) <= limit {
		return page, backend.Cursor{}, nil
	}
	page = page[:limit]
	return page, backend.Cursor(page[limit-1].Ref.ID()), nil
}

// Forget removes a record as backend.Inspector says. An expired one goes too but is not reported: it was absent.
func (s *Store) Forget(ctx context.Context, id backend.ID) (bool, error) {
	removed := 0
	err := s.forget(ctx, s.records.sql.forgetExpired, s.records.sql.forget, &removed, id[:])
	return removed > 0, failure(ctx, "forget", err, s.engine.classify)
}

// ForgetUser removes all records of a user under a guard as backend.Inspector says. It walks the table, since it has no
// index that would help: records that the user claims meanwhile may stay.
func (s *Store) ForgetUser(ctx context.Context, guard, user string) (int, error) {
	if !s.config.readable {
		return 0, unreadable("forget a user")
	}
	removed := 0
	from := present(nil)
	for {
		to, last, err := s.engine.span(ctx, from, s.config.step)
		if err == nil {
			err = s.forgetOwned(ctx, from, to, guard, user, &removed)
		}
		if last || err != nil {
			return removed, failure(ctx, "forget a user", err, s.engine.classify)
		}
		from = to
	}
}

func (s *Store) forgetOwned(ctx context.Context, from, to []byte, guard, user string, removed *int) error {
	var owned int
	sql := s.records.sql
	err := s.readOne(ctx, sql.owned, func(row scanner) error { return row.Scan(&owned) }, guard, user, from, to)
	if owned == 0 || err != nil {
		return err
	}
	return s.forget(ctx, sql.forgetOwnExpired, sql.forgetOwn, removed, from, to, guard, user)
}

// forget deletes what has expired, which does not count, and then what is left.
func (s *Store) forget(ctx context.Context, expired, all *query, removed *int, args ...any) error {
	var uncounted int
	if err := s.sweep(ctx, expired, &uncounted, args...); err != nil {
		return err
	}
	return s.sweep(ctx, all, removed, args...)
}

// Resolve gives an Unknown record an answer as backend.Inspector says. The record keeps its own fingerprint.
func (s *Store) Resolve(ctx context.Context, ref backend.Ref, c backend.Completion) (backend.Grant, error) {
	id := ref.ID()
	return s.write(ctx, "resolve", func(ctx context.Context, on session) (backend.Grant, error) {
		token, ok, err := s.shown(ctx, on, ref)
		if err == nil && ok {
			err = s.records.fits(c.Answer)
		}
		if !ok || err != nil {
			return kept(false), err
		}
		done, err := changed(on.exec(ctx, s.records.sql.resolve, milliseconds(c.Retention), present(c.Answer), id[:], token[:]))
		return kept(done), err
	})
}

// Free removes an Unknown record as backend.Inspector says.
func (s *Store) Free(ctx context.Context, ref backend.Ref) (backend.Grant, error) {
	id := ref.ID()
	return s.write(ctx, "free", func(ctx context.Context, on session) (backend.Grant, error) {
		token, ok, err := s.shown(ctx, on, ref)
		if !ok || err != nil {
			return kept(false), err
		}
		done, err := changed(on.exec(ctx, s.records.sql.free, id[:], token[:]))
		return kept(done), err
	})
}

// shown returns the token of the claim that ref points at, and whether it is still that one.
func (s *Store) shown(ctx context.Context, on session, ref backend.Ref) (backend.Token, bool, error) {
	seen, err := s.records.look(ctx, on, ref.ID())
	if err != nil || seen == nil || seen.state != backend.Unknown || !ref.Matches(seen.token) {
		return backend.Token{}, false, err
	}
	return seen.token, true, nil
}

func unreadable(what string) error {
	return fmt.Errorf("sqlbackend: %s: %w: it was made WithoutReadable", what, backend.ErrUnsupported)
}
