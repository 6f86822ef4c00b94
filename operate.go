package idem

import (
	"context"
	"fmt"

	"github.com/idem-go/idem/backend"
)

// What operators are shown and act on; see package backend.
type (
	Record = backend.Record
	Ref    = backend.Ref
	Filter = backend.Filter
	Cursor = backend.Cursor
)

// Lookup returns the record of (guard, user, key), or ErrNotFound. It returns ErrUnsupported where the store has no
// Inspector, as do List, Release, Forget and ForgetUser. All of them may be called concurrently.
func (g *Guard) Lookup(ctx context.Context, key Key, user User) (Record, error) {
	id, err := g.id(key, user)
	if err != nil {
		return Record{}, err
	}
	in, err := g.inspector()
	if err != nil {
		return Record{}, err
	}
	rec, err := in.Lookup(ctx, id)
	if err != nil {
		return Record{}, operatorError(err)
	}
	if rec.State == backend.Absent {
		return Record{}, ErrNotFound
	}
	return rec, nil
}

// pageSize is how many records List returns at most.
const pageSize = 100

// List returns at most 100 of the guard's records that match f, from after on. The zero Cursor is the start; a zero
// Cursor in return says that there are no more. f.Guard is the guard's own name, whatever it says.
func (g *Guard) List(ctx context.Context, f Filter, after Cursor) ([]Record, Cursor, error) {
	in, err := g.inspector()
	if err != nil {
		return nil, Cursor{}, err
	}
	f.Guard = g.name
	records, next, err := in.List(ctx, f, after, pageSize)
	return records, next, operatorError(err)
}

// Release frees a record whose outcome is unknown: "it did not happen", and the next call with the key runs. ref is what
// Lookup or List showed; if the record is not unknown any more, or is a later one under the same key, the error is
// ErrNotFound and nothing changes.
func (g *Guard) Release(ctx context.Context, ref Ref) error {
	in, err := g.inspector()
	if err != nil {
		return err
	}
	return resolved(in.Free(ctx, ref))
}

func (g *Guard) resolve(ctx context.Context, ref Ref, c backend.Completion) error {
	in, err := g.inspector()
	if err != nil {
		return err
	}
	return resolved(in.Resolve(ctx, ref, c))
}

func resolved(grant backend.Grant, err error) error {
	switch {
	case err != nil:
		return operatorError(err)
	case grant.Verdict != backend.Kept:
		return fmt.Errorf("%w in the state that was shown", ErrNotFound)
	}
	return nil
}

// Forget removes the record of (guard, user, key) in whatever state it is: the next call with the key runs. An attempt
// that is running loses its claim. ErrNotFound if there is none.
func (g *Guard) Forget(ctx context.Context, key Key, user User) error {
	id, err := g.id(key, user)
	if err != nil {
		return err
	}
	in, err := g.inspector()
	if err != nil {
		return err
	}
	found, err := in.Forget(ctx, id)
	g.cache.drop(id)
	if err == nil && !found {
		err = ErrNotFound
	}
	return operatorError(err)
}

// ForgetUser removes all of a user's records of this guard and returns how many there were, for a person who asks to be
// forgotten.
func (g *Guard) ForgetUser(ctx context.Context, user User) (int, error) {
	in, err := g.inspector()
	if err != nil {
		return 0, err
	}
	if err := user.Check(); err != nil {
		return 0, err
	}
	n, err := in.ForgetUser(ctx, g.name, string(user))
	g.cache.clear()
	return n, operatorError(err)
}

// Check asks the store whether its server's settings are safe for records that stand for money. A store that is no
// Checker has nothing to say.
func (g *Guard) Check(ctx context.Context) ([]backend.Finding, error) {
	if err := g.ready(); err != nil {
		return nil, err
	}
	c, ok := g.store.(backend.Checker)
	if !ok {
		return nil, nil
	}
	findings, err := c.Check(ctx)
	return findings, operatorError(err)
}

func (g *Guard) inspector() (backend.Inspector, error) {
	if err := g.ready(); err != nil {
		return nil, err
	}
	in, ok := g.store.(backend.Inspector)
	if !ok {
		return nil, fmt.Errorf("%w: %T is no Inspector", ErrUnsupported, g.store)
	}
	return in, nil
}

func (g *Guard) id(key Key, user User) (backend.ID, error) {
	if err := g.ready(); err != nil {
		return backend.ID{}, err
	}
	if err := key.Check(); err != nil {
		return backend.ID{}, err
	}
	if err := user.Check(); err != nil {
		return backend.ID{}, err
	}
	return backend.NewID(g.name, string(user), string(key)), nil
}

// operatorError gives a store's error its place among the package's errors.
func operatorError(err error) error {
	if err == nil || permanent(err) || CodeOf(err) != CodeOther {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
