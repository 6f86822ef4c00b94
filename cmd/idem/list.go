package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

var listTopic = topic{
	name:     "list",
	synopsis: "-guard NAME [-state unknown|pending|done|all] [-user U]\n[-older 10m] [-limit 100]",
	summary:  "which attempts are unknown, or in another state",
	help:     listHelp,
	start:    func() command { return new(list) },
}

const listHelp = `Shows records of one guard, one a line: the REF that other commands take, guard,
user, key, state, attempt, how long it has been in that state, what is left of its
lease, and the note that the program left.

Use it when clients or alarms report "unknown outcome", and to see what is running.

  -guard NAME    required; the name in the program's idem.New
  -state STATE   unknown (the default): given up without an answer, waits for you
                 pending: claimed; it runs, or its program is gone (lease over)
                 done: an answer is stored and replays
                 all: every state
  -user U        of this user only
  -older 10m     only records that have been in their state for longer
  -limit 100     at most so many

What it does to running programs: nothing, it only reads. On a large table it takes
a while, since records have no index but their id.

An attempt that crashed under a Hold guard is "pending" with its lease over until a
retry or a round of pruning turns it into "unknown"; this command then tells you to
run idem prune.

Example:

  idem -backend sqlite:app.db list -guard payments
  idem -backend sqlite:app.db list -guard payments -state pending -older 10m
`

// list shows records of a guard.
type list struct {
	guard, user, state string
	older              time.Duration
	limit              int
	filter             idem.Filter
}

func (c *list) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.guard, "guard", "", "")
	fs.StringVar(&c.user, "user", "", "")
	fs.StringVar(&c.state, "state", "unknown", "")
	fs.DurationVar(&c.older, "older", 0, "")
	fs.IntVar(&c.limit, "limit", 100, "")
}

func (c *list) accept(operands []string) error {
	if err := errors.Join(noOperands(operands), need(given{"guard", c.guard})); err != nil {
		return err
	}
	state, ok := states[c.state]
	switch {
	case !ok:
		return errors.New("-state must be unknown, pending, done or all")
	case c.older < 0:
		return errors.New("-older must not be negative")
	case c.limit < 1:
		return errors.New("-limit must be at least 1")
	}
	c.filter = idem.Filter{User: c.user, State: state, OlderThan: c.older}
	return nil
}

// states are the words of -state. backend.Absent in a filter selects every state.
var states = map[string]backend.State{
	"unknown": backend.Unknown, "pending": backend.Pending, "done": backend.Done, "all": backend.Absent,
}

type listJSON struct {
	Records []recordJSON `json:"records"`
	More    bool         `json:"more"` // there are more than -limit
}

func (c *list) run(ctx context.Context, s *session) error {
	g, err := s.guard(c.guard)
	if err != nil {
		return err
	}
	found, more, err := c.collect(ctx, g)
	if err != nil {
		return err
	}
	shown := listJSON{Records: []recordJSON{}, More: more}
	for _, rec := range found {
		shown.Records = append(shown.Records, machine(rec))
	}
	if err := s.out.print(shown, func(w io.Writer) { recordTable(w, found) }); err != nil {
		return err
	}
	if more {
		s.note("list", "there are more: raise -limit")
	}
	return c.hints(ctx, s, g, len(found))
}

func (c *list) collect(ctx context.Context, g *idem.Guard) (found []idem.Record, more bool, err error) {
	for rec, err := range records(ctx, g, c.filter) {
		switch {
		case err != nil:
			return nil, false, err
		case len(found) == c.limit:
			return found, true, nil
		}
		found = append(found, rec)
	}
	return found, false, nil
}

// records walks through the guard's records that match f, page by page.
func records(ctx context.Context, g *idem.Guard, f idem.Filter) iter.Seq2[idem.Record, error] {
	return func(yield func(idem.Record, error) bool) {
		var after idem.Cursor
		for {
			page, next, err := g.List(ctx, f, after)
			if err != nil {
				yield(idem.Record{}, err)
				return
			}
			for _, rec := range page {
				if !yield(rec, nil) {
					return
				}
			}
			if after = next; after.IsZero() {
				return
			}
		}
	}
}

// hints says why somebody may have missed what he looks for: an empty listing must not be taken for good news.
func (c *list) hints(ctx context.Context, s *session, g *idem.Guard, found int) error {
	if c.filter.State == backend.Unknown {
		n := 0
		for rec, err := range records(ctx, g, idem.Filter{User: c.user, State: backend.Pending}) {
			if err != nil {
				return err
			}
			if abandoned(rec) {
				n++
			}
		}
		if n > 0 {
			s.note("list", "%s and not unknown yet: run idem prune", count(n, "attempt is abandoned", "attempts are abandoned"))
		}
	}
	if found > 0 {
		return nil
	}
	for _, err := range records(ctx, g, idem.Filter{}) {
		return err // the guard has records
	}
	return elsewhere(ctx, s)
}

// elsewhere says, from a sample of the store, which guards have records.
func elsewhere(ctx context.Context, s *session) error {
	in, err := s.inspector()
	if err != nil {
		return err
	}
	sample, _, err := in.List(ctx, idem.Filter{}, idem.Cursor{}, 1000)
	if err != nil {
		return fmt.Errorf("looking for other guards: %w", err)
	}
	guards := map[string]bool{}
	for _, rec := range sample {
		if rec.Guard == "" {
			rec.Guard = "(a guard without a readable name)"
		}
		guards[rec.Guard] = true
	}
	names := "none"
	if len(guards) > 0 {
		names = strings.Join(slices.Sorted(maps.Keys(guards)), ", ")
	}
	s.note("list", "this guard has no record in any state; guards that have some: %s", names)
	return nil
}
