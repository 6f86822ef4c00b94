package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

var releaseTopic = topic{
	name:     "release",
	synopsis: "REF -guard NAME",
	summary:  "an unknown attempt did not happen: free its key",
	help:     releaseHelp,
	start:    func() command { return new(release) },
}

const releaseHelp = `Says of an unknown attempt: it did not happen. The record is removed.

Use it when you have found out, at the other side (the payment gateway, the mail
server, the ledger), that the effect is not there and will not come. If you are not
sure, do not use it: while the record is unknown nothing runs twice.

What it does to running programs: the next call with the same user and key runs the
function again, as if for the first time. Clients that retry by themselves do so
within seconds. Nothing that runs now is disturbed.

It works on unknown records only, and on the very attempt that the REF stands for.
If it was settled meanwhile, or a later attempt has the key, nothing changes and the
exit status is 1. The removal itself cannot be taken back.

Example:

  idem -backend sqlite:app.db release REF -guard payments
`

// release frees an unknown record.
type release struct {
	guard string
	ref   idem.Ref
}

func (c *release) flags(fs *flag.FlagSet) { fs.StringVar(&c.guard, "guard", "", "") }

func (c *release) accept(operands []string) (err error) {
	if c.ref, err = oneRef(operands); err != nil {
		return err
	}
	return need(given{"guard", c.guard})
}

type settledJSON struct {
	Ref   string `json:"ref"`
	State string `json:"state"` // what the record is now
}

func (c *release) run(ctx context.Context, s *session) error {
	g, err := s.unknown(ctx, c.ref, c.guard)
	if err != nil {
		return unchanged(err)
	}
	if err := g.Release(ctx, c.ref); err != nil {
		return unsettled(err)
	}
	return s.out.print(settledJSON{c.ref.String(), stateName(backend.Absent)}, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "released: the next call with this key runs")
	})
}

// unknown returns the guard of the record that ref points at if that is unknown. That it still is when it is settled
// the store sees to; here is told what it is instead.
func (s *session) unknown(ctx context.Context, ref idem.Ref, guard string) (*idem.Guard, error) {
	g, err := s.guard(guard)
	if err != nil {
		return nil, err
	}
	rec, err := s.find(ctx, ref, guard)
	switch {
	case err != nil:
		return nil, err
	case abandoned(rec):
		return nil, errors.New("the record is abandoned but not unknown yet: run idem prune first")
	case rec.State != backend.Unknown:
		return nil, fmt.Errorf("the record is %s, not unknown", stateName(rec.State))
	}
	return g, nil
}

// unchanged is an error from before anything was sent that changes the record.
func unchanged(err error) error { return fmt.Errorf("nothing was changed: %w", err) }

// unsettled is the error of settling itself. Where the store did not answer, nobody knows what it did.
func unsettled(err error) error {
	if errors.Is(err, idem.ErrNotFound) {
		return unchanged(err)
	}
	return fmt.Errorf("it is not known whether it was done, see idem show REF: %w", err)
}
