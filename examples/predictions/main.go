// Command predictions is an HTTP API whose writes are guarded by idem: predictions by its middleware, payouts by a
// transaction. The README beside it walks through both. Run it from the root of the project:
//
//	go run ./examples/predictions
//
// It is an example: whoever sends "Authorization: Bearer alice" is alice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait for what is in flight
	os.Exit(program(ctx, os.Args[1:], os.Getenv("IDEM_BACKEND"), os.Stdout, os.Stderr))
}

// program returns the exit status: 1 if something failed, 2 if it was called in a wrong way.
func program(ctx context.Context, args []string, backend string, stdout, stderr io.Writer) int {
	c, err := parse(args, backend)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage)
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "predictions: %v; -h tells more\n", err)
		return 2
	}
	to := log.New(stderr, "predictions: ", 0)
	act := listenAndServe
	if c.selftest {
		act = selftest
	}
	if err := act(ctx, c, stdout, to); err != nil {
		to.Print(strings.ReplaceAll(err.Error(), "\n", "; ")) // errors.Join puts each on a line
		return 1
	}
	return 0
}

const usage = `usage: predictions [-addr HOST:PORT] [-db FILE] [-backend URL] [-lease DURATION] [-faults] [-selftest]

  -addr HOST:PORT   where to listen (127.0.0.1:8080)
  -db FILE          the SQLite file of users, predictions and payouts; created where there is none (predictions.db)
  -backend URL      where idem keeps its records: memory:, sqlite:FILE, postgres://…, mysql://… or redis://… Without it, or
                    IDEM_BACKEND, in the same file as the predictions
  -lease DURATION   how long a crash blocks a key, at least 1s (30s)
  -faults           request headers make guarded handlers fail: X-Demo-Delay, X-Demo-Status, X-Demo-Panic, X-Demo-Crash.
                    For demonstrations and tests only
  -selftest         send one request 20 times at once to a server of its own, which has a temporary file in place of
                    -addr and -db, and say what became of them
`

// config is what the flags say.
type config struct {
	addr, db, backend string
	lease             time.Duration
	faults, selftest  bool
}

// parse reads the flags. A backend in the environment is not made a flag's default, which would be printed: it may hold
// a password.
func parse(args []string, backend string) (config, error) {
	var c config
	flags := flag.NewFlagSet("predictions", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "")
	flags.StringVar(&c.db, "db", "predictions.db", "")
	flags.StringVar(&c.backend, "backend", "", "")
	flags.DurationVar(&c.lease, "lease", 30*time.Second, "")
	flags.BoolVar(&c.faults, "faults", false, "")
	flags.BoolVar(&c.selftest, "selftest", false, "")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	given := false
	flags.Visit(func(f *flag.Flag) { given = given || f.Name == "backend" })
	if !given {
		c.backend = backend
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case c.lease < time.Second || c.lease > 24*time.Hour:
		return c, fmt.Errorf("flag -lease: %v is not between 1s and 24h", c.lease)
	}
	return c, nil
}

// listenAndServe takes the address first, so that a busy one is said before anything is opened.
func listenAndServe(ctx context.Context, c config, stdout io.Writer, to *log.Logger) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	s, err := newServer(ctx, c, to)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if err := welcome(stdout, c, l.Addr()); err != nil {
		return errors.Join(err, l.Close(), s.store.close())
	}
	return s.run(ctx, l)
}
