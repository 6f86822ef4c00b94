package sqlbackend

import (
	"context"

	"github.com/idem-go/idem/backend"
)

// records makes the transitions of backend.Store on a session. It is what the pool and a transaction have in common.
type records struct {
	sql      *statements
	readable bool

	// room, which may be nil, reports why an answer of so many bytes cannot be sent, before it is.
	room func(size int) error

	// disk, which may be nil, sees to it that an answer is on disk before anybody is told who has only read it.
	disk disk
}

// disk is asked about answers.
type disk interface {
	// wrote says that an answer was stored; in a transaction it is not on disk yet.
	wrote(on session, token backend.Token)

	// flush puts an answer on disk that was read. In a transaction it will be there with what that commits.
	flush(ctx context.Context, on session, id backend.ID, r *row) error
}

// look returns the record, nil where it is absent.
func (r *records) look(ctx context.Context, on session, id backend.ID) (*row, error) {
	return r.lookBy(ctx, on, r.sql.look, id)
}

// lookBy is look with a statement of the dialect's own.
func (r *records) lookBy(ctx context.Context, on session, q *query, id backend.ID) (*row, error) {
	rows, err := on.query(ctx, q, id[:])
	var found *row
	err = one(rows, err, func(s scanner) (err error) {
		found, err = scanRow(s)
		return err
	})
	return found, err
}

// try makes a move of Begin and reports whether it was made: not where the record has changed since it was seen.
func (r *records) try(ctx context.Context, on session, m move, c *backend.Claim, seen *row) (bool, error) {
	switch m {
	case claim:
		return r.claim(ctx, on, c)
	case takeOver:
		lease := milliseconds(c.Lease)
		return changed(on.exec(ctx, r.sql.takeOver, c.Token[:], lease, lease+milliseconds(c.Retention),
			c.ID[:], seen.token[:], c.Fingerprint[:]))
	case abandon:
		return changed(on.exec(ctx, r.sql.abandon, c.ID[:], seen.token[:]))
	default:
		return true, nil
	}
}

func (r *records) claim(ctx context.Context, on session, c *backend.Claim) (bool, error) {
	guard, user, key := r.names(c)
	lease := milliseconds(c.Lease)
	return changed(on.exec(ctx, r.sql.claim, c.ID[:], c.Token[:], c.Fingerprint[:], number(c.Hold), lease,
		number(c.Hold), lease+milliseconds(c.Retention), guard, user, key))
}

// names returns what a claim stores for people.
func (r *records) names(c *backend.Claim) (guard, user, key any) {
	if r.readable {
		return c.Guard, c.User, c.Key
	}
	return nil, nil, nil
}

func (r *records) renew(ctx context.Context, on session, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	lease := milliseconds(n.Lease)
	for range 2 {
		ok, err := changed(on.exec(ctx, r.sql.renew, lease, lease+milliseconds(n.Retention), n.Note, n.Note, id[:], token[:]))
		if ok || err != nil {
			return kept(ok), err
		}
		// Perhaps the claim has only just come, by a Begin that was late: then the second time renews it.
		seen, err := r.look(ctx, on, id)
		if err != nil || !seen.under(backend.Pending, token) {
			return kept(false), err
		}
	}
	// A server that counts only rows whose values differ has counted none where the same millisecond renewed before.
	return kept(true), nil
}

func (r *records) complete(ctx context.Context, on session, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	if err := r.fits(c.Answer); err != nil {
		return backend.Grant{}, err
	}
	ok, err := changed(on.exec(ctx, r.sql.complete, milliseconds(c.Retention), present(c.Answer), id[:], token[:]))
	if ok && r.disk != nil {
		r.disk.wrote(on, token)
	}
	if ok || err != nil {
		return kept(ok), err
	}
	seen, err := r.look(ctx, on, id)
	switch {
	case err != nil:
		return backend.Grant{}, err
	case seen.under(backend.Done, token):
		return r.tell(ctx, on, id, seen, backend.Grant{Verdict: backend.Kept, Answer: seen.answer})
	case seen != nil && seen.state == backend.Done && seen.fingerprint == c.Fingerprint:
		return r.tell(ctx, on, id, seen, seen.replay())
	default:
		return kept(false), nil
	}
}

// tell is g, which tells of an answer that was read.
func (r *records) tell(ctx context.Context, on session, id backend.ID, from *row, g backend.Grant) (backend.Grant, error) {
	if r.disk == nil || from.state != backend.Done {
		return g, nil
	}
	if err := r.disk.flush(ctx, on, id, from); err != nil {
		return backend.Grant{}, err
	}
	return g, nil
}

func (r *records) release(ctx context.Context, on session, id backend.ID, token backend.Token) (backend.Grant, error) {
	ok, err := changed(on.exec(ctx, r.sql.release, id[:], token[:]))
	return kept(ok), err
}

func (r *records) hold(ctx context.Context, on session, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	ok, err := changed(on.exec(ctx, r.sql.hold, note, note, id[:], token[:]))
	if ok || err != nil {
		return kept(ok), err
	}
	seen, err := r.look(ctx, on, id)
	return kept(seen.under(backend.Unknown, token)), err
}

// settled is what Settle answers once the transaction is surely over.
func (r *records) settled(ctx context.Context, on session, id backend.ID, token backend.Token) (backend.Grant, error) {
	seen, err := r.look(ctx, on, id)
	if err != nil {
		return backend.Grant{}, err
	}
	return r.settledAs(ctx, on, id, token, seen)
}

// settledAs is settled by a record that was read.
func (r *records) settledAs(ctx context.Context, on session, id backend.ID, token backend.Token, seen *row) (backend.Grant, error) {
	if seen == nil || seen.token != token {
		return kept(false), nil
	}
	return r.tell(ctx, on, id, seen, backend.Grant{Verdict: backend.Kept, Answer: seen.answer})
}

func (r *records) fits(answer []byte) error {
	if r.room == nil {
		return nil
	}
	return r.room(len(answer))
}

func changed(rows int64, err error) (bool, error) { return rows > 0, err }

func kept(ok bool) backend.Grant {
	if ok {
		return backend.Grant{Verdict: backend.Kept}
	}
	return backend.Grant{Verdict: backend.Lost}
}

// present makes an empty answer a value, since a nil slice would be stored as NULL.
func present(answer []byte) []byte {
	if answer == nil {
		return []byte{}
	}
	return answer
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
