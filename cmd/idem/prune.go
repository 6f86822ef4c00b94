package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

var pruneTopic = topic{
	name:    "prune",
	summary: "one round of pruning over the whole store",
	help:    pruneHelp,
	start:   func() command { return new(prune) },
}

const pruneHelp = `Goes once over all records of the store, of every guard: removes what has expired,
and turns abandoned attempts of Hold guards into unknown ones. Unknown records are
never removed.

Use it when no program prunes (Guard.RunPruner) and the table grows, and before
listing unknown attempts after a crash: until a round of pruning, or a retry, an
abandoned attempt shows as pending.

What it does to running programs: next to nothing. It works in small steps with
pauses between them, beside live traffic and beside other pruners. What has expired
counts as absent already, so no program sees a difference. It can be interrupted.

Example:

  idem -backend sqlite:app.db prune
`

// prune is one round of pruning.
type prune struct{}

func (*prune) flags(*flag.FlagSet) {}

func (*prune) accept(operands []string) error { return noOperands(operands) }

type pruneJSON struct {
	Scanned int `json:"scanned"`
	Removed int `json:"removed"`
	Held    int `json:"held"`
}

func (*prune) run(ctx context.Context, s *session) error {
	g, err := s.guard(anyGuard)
	if err != nil {
		return err
	}
	stats, err := g.Prune(ctx)
	if err != nil && stats.Scanned == 0 {
		return err
	}
	return errors.Join(err, s.out.print(pruneJSON{stats.Scanned, stats.Removed, stats.Held}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "looked at %s: removed %d expired, %d became unknown\n",
			count(stats.Scanned, "record", "records"), stats.Removed, stats.Held)
	}))
}
