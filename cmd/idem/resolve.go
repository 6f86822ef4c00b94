package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

var resolveTopic = topic{
	name:     "resolve",
	synopsis: "REF -guard NAME [-codec json] [-retention 24h]\n(-answer JSON | -answer-file F | -)",
	summary:  "an unknown attempt did happen: store its answer",
	help:     resolveHelp,
	start:    func() command { return new(resolve) },
}

const resolveHelp = `Says of an unknown attempt: it happened, and this is its answer. The record becomes
done.

Use it when you have found out that the effect is there, and know what the program
would have answered.

  -guard NAME       required; the name in the program's idem.New
  -answer JSON      the answer; or
  -answer-file F    the file that it stands in; or
  -                 it comes from standard input
  -codec json       how the program stores answers; only json, the default, can be
                    written here
  -retention 24h    how long the answer replays, from now: what the program's guard
                    has (24h unless it says otherwise)

What it does to running programs: calls with the same user, key and request get this
answer, as if the function had returned it. Nothing runs.

The answer must be what the program's codec would have written for the type that
this operation returns: the JSON of that Go value, with its names of fields. That it
is JSON is checked here, that it fits cannot be. Where it does not, calls with this
key get a wrong answer, or fail ("the stored record cannot be read"), for the whole
retention; forgetting the record would run the effect again. So take the answer of a
like operation, from the program's logs or tests, as a pattern, and look twice.
What other users of this machine must not see does not belong into -answer, which
stands in the list of processes: use a file or standard input.

Not for routes behind the HTTP middleware, nor for programs with a codec of their
own: they store answers in another format and would refuse this one. Leave such a
record unknown, which is safe. A program with a codec of its own can settle it with
Op.Resolve.

It works on unknown records only, and on the very attempt that the REF stands for.
If it was settled meanwhile, or a later attempt has the key, nothing changes and the
exit status is 1.

Example:

  idem -backend sqlite:app.db resolve REF -guard payments -answer '{"ID":"ch_1"}'
  idem -backend sqlite:app.db resolve REF -guard payments - < answer.json
`

// resolve gives an unknown record its answer.
type resolve struct {
	guard, codec string
	retention    time.Duration
	source       answerSource
	ref          idem.Ref
}

func (c *resolve) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.guard, "guard", "", "")
	fs.StringVar(&c.codec, "codec", idem.JSON.Name(), "")
	fs.DurationVar(&c.retention, "retention", 24*time.Hour, "")
	c.source.flags(fs)
}

func (c *resolve) accept(operands []string) (err error) {
	operands = c.source.take(operands)
	if c.ref, err = oneRef(operands); err != nil {
		return err
	}
	if c.codec != idem.JSON.Name() {
		return errors.New("-codec: only json can be written here; settle others in the program, with Op.Resolve")
	}
	if err := need(given{"guard", c.guard}); err != nil {
		return err
	}
	return c.source.one()
}

func (c *resolve) run(ctx context.Context, s *session) error {
	answer, err := c.source.read(s.stdin)
	if err != nil {
		return unchanged(err)
	}
	g, err := s.unknown(ctx, c.ref, c.guard)
	if err != nil {
		return unchanged(err)
	}
	op, err := c.operation(g)
	if err != nil {
		return unchanged(err)
	}
	if err := op.Resolve(ctx, c.ref, answer); err != nil {
		return unsettled(err)
	}
	return s.out.print(settledJSON{c.ref.String(), stateName(backend.Done)}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "resolved: calls with this key get the answer for %s\n", span(c.retention))
	})
}

// operation is what stores the answer. An operation's name and the type of its requests concern the fingerprint only, and
// a resolved record keeps its own; of a json.RawMessage the codec makes what it makes of the typed value.
func (c *resolve) operation(g *idem.Guard) (idem.Op[struct{}, json.RawMessage], error) {
	return idem.For[struct{}, json.RawMessage](g, "resolve", idem.WithCodec(idem.JSON), idem.Retention(c.retention))
}
