package sqlbackend

import (
	"bytes"
	"context"
	"slices"

	"github.com/idem-go/idem/backend"
)

// kind is which call of backend.Store a transition is.
type kind uint8

const (
	claiming kind = iota
	renewing
	completing
	releasing
	holding
)

var kinds = [...]kind{claiming, renewing, completing, releasing, holding}

// String returns the name that errors have for the call.
func (k kind) String() string {
	return [...]string{"begin", "renew", "complete", "release", "hold"}[k]
}

// transition is one call of a Store in autocommit, and what came of it. Who has left behind one that is on its way must not
// read it any more.
type transition struct {
	kind  kind
	id    backend.ID
	token backend.Token

	claim      backend.Claim // of Begin; the others are of the calls that have them
	renewal    backend.Renewal
	completion backend.Completion
	note       string

	grant backend.Grant
	known bool // among others, it was carried out: grant is what came of it
}

// do carries t out, by itself or together with what others ask in the same moment.
func (s *Store) do(ctx context.Context, t *transition) (backend.Grant, error) {
	carry := s.alone
	if s.group != nil {
		carry = s.group.carry
	}
	if err := carry(ctx, t); err != nil {
		return backend.Grant{}, failure(ctx, t.kind.String(), err, s.engine.classify)
	}
	return t.grant, nil
}

// alone carries t out by itself.
func (s *Store) alone(ctx context.Context, t *transition) (err error) {
	if t.kind == claiming {
		t.grant, err = s.engine.begin(ctx, t.claim)
		return err
	}
	return s.engine.write(ctx, func(ctx context.Context, on session) (err error) {
		t.grant, err = s.records.transit(ctx, on, t)
		return err
	})
}

// transit makes a transition that is no claim.
func (r *records) transit(ctx context.Context, on session, t *transition) (backend.Grant, error) {
	switch t.kind {
	case renewing:
		return r.renew(ctx, on, t.id, t.token, t.renewal)
	case completing:
		return r.complete(ctx, on, t.id, t.token, t.completion)
	case releasing:
		return r.release(ctx, on, t.id, t.token)
	default:
		return r.hold(ctx, on, t.id, t.token, t.note)
	}
}

// heavy reports whether others would wait long behind t.
func (t *transition) heavy() bool { return len(t.completion.Answer) > light }

// own copies what the caller may change once it has left.
func (t *transition) own() { t.completion.Answer = slices.Clone(t.completion.Answer) }

// keep says that t did what was asked.
func (t *transition) keep() { t.grant, t.known = kept(true), true }

// sortedByID puts transitions in the order of their ids, in which nobody deadlocks, and leaves one of each id.
func sortedByID(ts []*transition) []*transition {
	slices.SortFunc(ts, func(a, b *transition) int { return bytes.Compare(a.id[:], b.id[:]) })
	return slices.CompactFunc(ts, func(a, b *transition) bool { return a.id == b.id })
}
