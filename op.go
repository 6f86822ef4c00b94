package idem

import (
	"context"
	"fmt"

	"github.com/idem-go/idem/backend"
)

// Op is a guard bound to one operation: its name, its types and its options, checked once. Its methods are ordinary
// ones, so that an Op can stand behind an interface. It is made by For and safe for concurrent use.
type Op[Req, Resp any] struct {
	g *Guard
	s *settings
}

// For binds a guard to the operation of the given name, which enters the fingerprint: one key used for two operations is
// ErrMismatch. It checks the options, and says now what a call would say about Req.
func For[Req, Resp any](g *Guard, operation string, opts ...CallOption) (Op[Req, Resp], error) {
	if err := g.ready(); err != nil {
		return Op[Req, Resp]{}, err
	}
	if operation == "" {
		return Op[Req, Resp]{}, optionError("For", "the operation has no name")
	}
	s, err := g.with(append([]CallOption{Operation(operation)}, opts...))
	if err != nil {
		return Op[Req, Resp]{}, err
	}
	if err := checkRequest[Req](s); err != nil {
		return Op[Req, Resp]{}, err
	}
	return Op[Req, Resp]{g: g, s: s}, nil
}

// Do is the function Do for this operation.
func (o Op[Req, Resp]) Do(ctx context.Context, key Key, user User, req Req, fn func(context.Context, Req) (Resp, error)) (Resp, error) {
	res, err := o.DoResult(ctx, key, user, req, fn)
	return res.Value, err
}

// DoResult is the function DoResult for this operation.
func (o Op[Req, Resp]) DoResult(ctx context.Context, key Key, user User, req Req, fn func(context.Context, Req) (Resp, error)) (Result[Resp], error) {
	if err := o.g.ready(); err != nil {
		return Result[Resp]{}, err
	}
	return doResult(ctx, o.g, o.s, key, user, req, fn)
}

// Resolve gives a record whose outcome is unknown the answer that a person or a reconciler found out: it replays from now
// on. ref is what Lookup or List showed; if the record is not unknown any more, or is a later one under the same key, the
// error is ErrNotFound and nothing changes.
func (o Op[Req, Resp]) Resolve(ctx context.Context, ref Ref, answer Resp) error {
	if err := o.g.ready(); err != nil {
		return err
	}
	payload, err := (&typedCall[Resp]{s: o.s}).encode(answer)
	if err != nil {
		return fmt.Errorf("idem: the answer does not survive its codec: %w", err)
	}
	return o.g.resolve(ctx, ref, backend.Completion{
		Answer:    envelope{kind: KindValue, codec: o.s.codec.Name(), payload: payload}.seal(),
		Retention: o.s.retention,
	})
}
