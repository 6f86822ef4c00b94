package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// identity names a record as the program does.
type identity struct{ guard, user, key string }

func (i *identity) flags(fs *flag.FlagSet) {
	fs.StringVar(&i.guard, "guard", "", "")
	fs.StringVar(&i.user, "user", "", "")
	fs.StringVar(&i.key, "key", "", "")
}

func (i *identity) complete() error {
	return need(given{"guard", i.guard}, given{"user", i.user}, given{"key", i.key})
}

// lookup returns the record and its guard.
func (i *identity) lookup(ctx context.Context, s *session) (*idem.Guard, idem.Record, error) {
	g, err := s.guard(i.guard)
	if err != nil {
		return nil, idem.Record{}, err
	}
	rec, err := g.Lookup(ctx, idem.Key(i.key), idem.User(i.user))
	return g, rec, err
}

// oneRef is the reference that must be the only operand.
func oneRef(operands []string) (idem.Ref, error) {
	switch len(operands) {
	case 0:
		return idem.Ref{}, errors.New("the REF is missing: idem list shows it")
	case 1:
		return backend.ParseRef(operands[0])
	}
	return idem.Ref{}, noOperands(operands[1:])
}

// find returns the record that ref points at, which must be one of the named guard unless that is empty.
func (s *session) find(ctx context.Context, ref idem.Ref, guard string) (idem.Record, error) {
	in, err := s.inspector()
	if err != nil {
		return idem.Record{}, err
	}
	rec, err := in.Lookup(ctx, ref.ID())
	switch {
	case err != nil:
		return idem.Record{}, err
	case rec.State == backend.Absent:
		return idem.Record{}, fmt.Errorf("%w: it was freed, forgotten or pruned", idem.ErrNotFound)
	case rec.Ref != ref:
		return idem.Record{}, fmt.Errorf("%w: a later attempt has its key now", idem.ErrNotFound)
	case guard != "" && rec.Guard != "" && rec.Guard != guard:
		return idem.Record{}, fmt.Errorf("the record belongs to another guard: %s", rec.Guard)
	}
	return rec, nil
}
