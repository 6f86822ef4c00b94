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

var forgetTopic = topic{
	name:     "forget",
	synopsis: "-guard NAME -user U -key K [-yes]",
	summary:  "remove one record, whatever its state",
	help:     forgetHelp,
	start:    func() command { return new(forget) },
}

const forgetHelp = `Removes one record, whatever its state. Without -yes it only shows the record that
would go, and exits with 1.

Use it for a done record whose stored answer must not replay any more, where the
effect may happen again or no client will come back with the key. For an unknown one
use release or resolve: they work only on the attempt that you were shown.

What it does to running programs: the next call with the same user and key runs the
function again. If the effect has happened already, it then happens twice. An attempt
that is running loses its claim: its function is told to stop within a third of its
lease, and its answer does not count, but what it has done is done.

Example:

  idem -backend sqlite:app.db forget -guard payments -user account-7 -key 7f9c24e8
  idem -backend sqlite:app.db forget -guard payments -user account-7 -key 7f9c24e8 -yes
`

var forgetUserTopic = topic{
	name:     "forget-user",
	synopsis: "-guard NAME -user U [-yes]",
	summary:  "remove all records of a user under one guard",
	help:     forgetUserHelp,
	start:    func() command { return new(forgetUser) },
}

const forgetUserHelp = `Removes all records of a user under one guard, whatever their state. Without -yes it
only counts what would go, and exits with 1.

Use it when a person asks to be forgotten, once for every guard, after the account is
closed. Settle unknown records first: their notes go too.

What it does to running programs: as idem forget does, for every key of this user.
A retry that comes later runs again, so no client of the user may be active. Records
that are claimed while it runs may stay; run it again.

Example:

  idem -backend sqlite:app.db forget-user -guard payments -user account-7
  idem -backend sqlite:app.db forget-user -guard payments -user account-7 -yes
`

// tally counts records by their state.
type tally struct {
	Pending int `json:"pending"`
	Done    int `json:"done"`
	Unknown int `json:"unknown"`
}

func (t *tally) add(rec idem.Record) {
	switch rec.State {
	case backend.Pending:
		t.Pending++
	case backend.Done:
		t.Done++
	case backend.Unknown:
		t.Unknown++
	}
}

type forgottenJSON struct {
	Removed     int    `json:"removed"`
	WouldRemove *tally `json:"would_remove,omitempty"` // without -yes
}

// forget removes one record.
type forget struct {
	identity
	yes bool
}

func (c *forget) flags(fs *flag.FlagSet) {
	c.identity.flags(fs)
	fs.BoolVar(&c.yes, "yes", false, "")
}

func (c *forget) accept(operands []string) error {
	return errors.Join(noOperands(operands), c.complete())
}

func (c *forget) run(ctx context.Context, s *session) error {
	g, rec, err := c.lookup(ctx, s)
	if err != nil {
		return err
	}
	if c.yes {
		if err := g.Forget(ctx, idem.Key(c.key), idem.User(c.user)); err != nil {
			return err
		}
		return s.removed(1)
	}
	var t tally
	t.add(rec)
	if err := s.out.print(forgottenJSON{WouldRemove: &t}, func(w io.Writer) { recordTable(w, []idem.Record{rec}) }); err != nil {
		return err
	}
	return errNotConfirmed
}

// forgetUser removes the records of a user.
type forgetUser struct {
	guard, user string
	yes         bool
}

func (c *forgetUser) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.guard, "guard", "", "")
	fs.StringVar(&c.user, "user", "", "")
	fs.BoolVar(&c.yes, "yes", false, "")
}

func (c *forgetUser) accept(operands []string) error {
	return errors.Join(noOperands(operands), need(given{"guard", c.guard}, given{"user", c.user}))
}

func (c *forgetUser) run(ctx context.Context, s *session) error {
	g, err := s.guard(c.guard)
	if err != nil {
		return err
	}
	if c.yes {
		n, err := g.ForgetUser(ctx, idem.User(c.user))
		return errors.Join(err, s.removed(n))
	}
	var t tally
	for rec, err := range records(ctx, g, idem.Filter{User: c.user}) {
		if err != nil {
			return err
		}
		t.add(rec)
	}
	err = s.out.print(forgottenJSON{WouldRemove: &t}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "would remove %s: %d pending, %d done, %d unknown\n",
			count(t.Pending+t.Done+t.Unknown, "record", "records"), t.Pending, t.Done, t.Unknown)
	})
	if err != nil {
		return err
	}
	return errNotConfirmed
}

func (s *session) removed(n int) error {
	return s.out.print(forgottenJSON{Removed: n}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "removed %s\n", count(n, "record", "records"))
	})
}
