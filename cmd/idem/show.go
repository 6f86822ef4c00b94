package main

import (
	"context"
	"errors"
	"io"

	"github.com/idem-go/idem"
)

var showTopic = topic{
	name:     "show",
	synopsis: "REF | -guard NAME -user U -key K",
	summary:  "everything about one record but its answer",
	help:     showHelp,
	start:    func() command { return new(show) },
}

const showHelp = `Shows one record: its state and for how long, the attempt, what is left of its
lease, when it expires, the note, how large its answer is, and what to do about it.

Use it when somebody reports a key, or to see what became of a REF. The key and the
user are those that the program passes to idem; over HTTP the key is the value of
the header Idempotency-Key without its quotes, and the user is what the program
takes from the request, which is often an account id and not a name.

What it does to running programs: nothing, it only reads.

"No such record" for a REF says that this attempt is over: it was freed, forgotten
or pruned, or a later attempt has its key now.

Example:

  idem -backend sqlite:app.db show -guard payments -user account-7 -key 7f9c24e8
`

// show shows one record.
type show struct {
	identity
	ref idem.Ref
}

func (c *show) accept(operands []string) (err error) {
	if len(operands) == 0 {
		if c.identity == (identity{}) {
			return errors.New("which record? Give a REF, or -guard, -user and -key")
		}
		return c.complete()
	}
	if c.user != "" || c.key != "" {
		return errors.New("give either a REF, or -guard, -user and -key")
	}
	c.ref, err = oneRef(operands)
	return err
}

func (c *show) run(ctx context.Context, s *session) error {
	rec, err := c.record(ctx, s)
	if err != nil {
		return err
	}
	return s.out.print(machine(rec), func(w io.Writer) { recordSheet(w, rec) })
}

func (c *show) record(ctx context.Context, s *session) (idem.Record, error) {
	if !c.ref.IsZero() {
		return s.find(ctx, c.ref, c.guard)
	}
	_, rec, err := c.lookup(ctx, s)
	return rec, err
}
