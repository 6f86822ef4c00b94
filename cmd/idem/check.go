package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

var checkTopic = topic{
	name:    "check",
	summary: "are the store's settings safe for money?",
	help:    checkHelp,
	start:   func() command { return new(check) },
}

const checkHelp = `Asks the store whether its server's settings are safe for records that stand for
money, and prints what it finds: a warning weakens a promise, an error breaks one.
The exit status is 1 if there is an error.

Use it before going live, after every change of the database's configuration, and in
a deployment's health check. Use the program's own URL: some settings, such as
synchronous of SQLite, belong to the connection and come from the URL.

What it does to running programs: nothing, it only reads settings.

Example:

  idem -backend sqlite:app.db check
`

// check asks the store about its settings.
type check struct{}

func (*check) flags(*flag.FlagSet) {}

func (*check) accept(operands []string) error { return noOperands(operands) }

type checkJSON struct {
	Findings []findingJSON `json:"findings"`
}

type findingJSON struct {
	Severity string `json:"severity"`
	Setting  string `json:"setting"`
	Value    string `json:"value"`
	Advice   string `json:"advice"`
}

func (*check) run(ctx context.Context, s *session) error {
	if _, ok := s.store.(backend.Checker); !ok {
		return fmt.Errorf("%w: it cannot say anything about its settings", idem.ErrUnsupported)
	}
	g, err := s.guard(anyGuard)
	if err != nil {
		return err
	}
	findings, err := g.Check(ctx)
	if err != nil {
		return err
	}
	shown, faults := checkJSON{Findings: []findingJSON{}}, 0
	for _, f := range findings {
		shown.Findings = append(shown.Findings, findingJSON{f.Severity.String(), f.Setting, f.Value, f.Advice})
		if f.Severity >= backend.Error {
			faults++
		}
	}
	if err := s.out.print(shown, shown.table); err != nil {
		return err
	}
	if faults > 0 {
		return fmt.Errorf("%s a promise", count(faults, "setting breaks", "settings break"))
	}
	return nil
}

func (c checkJSON) table(w io.Writer) {
	if len(c.Findings) == 0 {
		_, _ = fmt.Fprintln(w, "no findings: the settings are safe")
		return
	}
	rows := [][]string{{"SEVERITY", "SETTING", "VALUE", "ADVICE"}}
	for _, f := range c.Findings {
		rows = append(rows, []string{f.Severity, cell(f.Setting), cell(f.Value), cell(f.Advice)})
	}
	table(w, rows...)
}
