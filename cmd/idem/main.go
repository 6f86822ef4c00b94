// Command idem is the operator's tool: it looks into a store of idem, settles attempts whose outcome is unknown, and
// removes records.
//
//	idem [-backend URL] [-json] COMMAND [flags]
//
// "idem help" tells the rest. Its exit status is 0 if all went well, 1 if something failed and 2 if it was called in a
// wrong way. It never prints a token or an answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait for the store
	os.Exit(run(ctx, os.Args[1:], console{os.Getenv, os.Stdin, os.Stdout, os.Stderr}))
}

// console is the world around one run of the tool.
type console struct {
	env            func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// globals are the flags that every command has. They may stand before it too.
type globals struct {
	backend string
	json    bool
}

func (g *globals) flags(fs *flag.FlagSet) {
	fs.StringVar(&g.backend, "backend", g.backend, "")
	fs.BoolVar(&g.json, "json", g.json, "")
}

// run does what args ask for and returns the exit status.
func run(ctx context.Context, args []string, c console) int {
	g := globals{backend: c.env("IDEM_BACKEND")}
	fs := newFlagSet()
	g.flags(fs)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return report(c.stderr, "", write(c.stdout, overview()))
	case err != nil:
		return report(c.stderr, "", usage(err))
	case fs.NArg() == 0:
		return report(c.stderr, "", usage(errors.New("there is no command")))
	}
	name, rest := fs.Arg(0), fs.Args()[1:]
	if name == "help" {
		return report(c.stderr, "", help(c.stdout, rest))
	}
	t, ok := topicOf(name)
	if !ok {
		return report(c.stderr, "", usage(fmt.Errorf("unknown command %q", name)))
	}
	return report(c.stderr, name, t.run(ctx, rest, g, c))
}

// run parses what follows the command's name, and only then opens the store.
func (t topic) run(ctx context.Context, args []string, g globals, c console) (err error) {
	cmd, fs := t.start(), newFlagSet()
	g.flags(fs)
	cmd.flags(fs)
	operands, err := parse(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return write(c.stdout, t.text())
	case err != nil:
		return usage(err)
	}
	if err := cmd.accept(operands); err != nil {
		return usage(err)
	}
	s, err := open(ctx, g, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return cmd.run(ctx, s)
}
