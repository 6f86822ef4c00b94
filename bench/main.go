// Bench measures what idem costs, against statements written by hand that do as little as can be, on the servers that
// people use.
//
//	go run ./bench [-short] [-only NAME] [-callers 1,32] [-svg FILE] [-grow [-rows 10000,1000000]]
//
// It takes the servers that IDEM_TEST_POSTGRES, IDEM_TEST_MYSQL and IDEM_TEST_REDIS name, makes a schema, a database or keys of
// its own there and drops them, and says which it skips. bench/run starts private ones in memory first, where a flush of the disk costs
// nothing, so that what is measured is the protocol. All that is compared runs in turns in one run; what is printed are
// ratios, since a machine's own speed changes from minute to minute. docs/performance.md explains the figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/idem-go/idem/bench/httpcost"
)

// plan is what is asked for.
type plan struct {
	budget  time.Duration // for one contest with one number of callers
	callers []int
	only    string
	dir     string // of SQLite's files
	svg     string // the file that a plot goes to; may be empty
	grow    bool   // compare large tables with a small one, and prune
	rows    []int  // in those
}

func main() {
	p, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := p.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*plan, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("short", false, "two minutes in all, with figures that are good to a tenth")
	budget := flags.Duration("time", 12*time.Second, "for each contest and number of callers")
	only := flags.String("only", "", "only contests whose name has this text")
	callers := flags.String("callers", "", "numbers of callers (default 1,8,32,128; with -short 1,32)")
	grow := flags.Bool("grow", false, "instead: compare tables of some sizes, and prune a million rows")
	rows := flags.String("rows", "10000,1000000", "with -grow: how many rows the tables have")
	svg := flags.String("svg", "", "a file for a plot: of 32 callers, or of the last number of them")
	dir := flags.String("dir", os.TempDir(), "where SQLite's files are made")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	p := &plan{budget: *budget, only: *only, dir: *dir, svg: *svg, grow: *grow}
	many := "1,8,32,128"
	if *short {
		p.budget, many = 1300*time.Millisecond, "1,32"
	}
	if *callers == "" {
		*callers = many
	}
	var err error
	if p.callers, err = numbers("-callers", *callers, 1000); err != nil {
		return nil, err
	}
	p.rows, err = numbers("-rows", *rows, 1_000_000_000)
	return p, err
}

// numbers reads a list of them.
func numbers(flag, list string, most int) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return nil, fmt.Errorf("%s: %q is not a number between 1 and %d", flag, text, most)
		}
		all = append(all, n)
	}
	return all, nil
}

// away is behind the name of a database that is far away.
const away = ", 0.5 ms away"

// database is what can be measured.
type database struct{ name, variable string }

// run runs the contests of all databases that are there, also after one that failed, such as for want of connections.
func (p *plan) run(ctx context.Context) error {
	dir, err := os.MkdirTemp(p.dir, "idem-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	print := newReport(os.Stdout, p.callers)
	var failed error
	for _, d := range []database{
		{"memory", ""},
		{"PostgreSQL", "IDEM_TEST_POSTGRES"},
		{"PostgreSQL" + away, "IDEM_TEST_POSTGRES"},
		{"PostgreSQL, others", "IDEM_TEST_POSTGRES"},
		{"MariaDB", "IDEM_TEST_MYSQL"},
		{"MariaDB" + away, "IDEM_TEST_MYSQL"},
		{"SQLite NORMAL", ""},
		{"SQLite FULL", ""},
		{"Redis", "IDEM_TEST_REDIS"},
	} {
		url := os.Getenv(d.variable)
		switch {
		case !p.wants(d.name):
			continue
		case d.variable != "" && url == "":
			print.skipped(d.name, d.variable)
			continue
		}
		if err := p.measure(ctx, d, url, dir, print); err != nil {
			print.failed(d.name, err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", d.name, err))
		}
		if ctx.Err() != nil {
			return failed
		}
	}
	if p.wants("HTTP") && !p.grow {
		httpcost.Report(os.Stdout, max(8, int(p.budget/(300*time.Millisecond))), 20*time.Millisecond)
	}
	if p.svg != "" {
		failed = errors.Join(failed, os.WriteFile(p.svg, print.plot.svg(), 0o644))
	}
	return failed
}

// measure opens a database and measures what is asked for.
func (p *plan) measure(ctx context.Context, d database, url, dir string, print *report) error {
	near, distant := strings.CutSuffix(d.name, away)
	if distant || d.name == "memory" || d.name == "Redis" || d.name == "PostgreSQL, others" {
		if p.grow {
			return nil // only tables grow
		}
		if distant {
			return p.measureAway(ctx, near, url, print)
		}
		return p.measureOther(ctx, d.name, url, print)
	}
	s, err := p.openSQL(ctx, d, url, dir)
	if err != nil {
		return err
	}
	measure := func() error { return p.compare(ctx, s, print) }
	if p.grow {
		measure = func() error { return p.measureGrowth(ctx, s, print) }
	}
	return errors.Join(measure(), s.close(context.WithoutCancel(ctx)))
}

// measureAway measures a database with a network between.
func (p *plan) measureAway(ctx context.Context, name, url string, print *report) error {
	f, url, err := farFrom(url)
	if err != nil {
		return err
	}
	s, err := p.openSQL(ctx, database{name: name}, url, "")
	if err != nil {
		return errors.Join(err, f.close())
	}
	s.name += away
	return errors.Join(p.compare(ctx, awaySide{s}, print), s.close(context.WithoutCancel(ctx)), f.close())
}

// measureOther measures what is no table of idem's alone.
func (p *plan) measureOther(ctx context.Context, name, url string, print *report) error {
	after := context.WithoutCancel(ctx)
	switch name {
	case "memory":
		s, err := openMemory()
		if err != nil {
			return err
		}
		return p.compare(ctx, s, print)
	case "Redis":
		s, err := openRedis(ctx, url, p.conns())
		if err != nil {
			return err
		}
		return errors.Join(p.compare(ctx, s, print), s.close(after))
	}
	s, err := openPostgres(ctx, url, p.conns())
	if err != nil {
		return err
	}
	r, err := openRivals(ctx, url, p.conns(), s)
	if err != nil {
		return errors.Join(err, s.close(after))
	}
	return errors.Join(p.compare(ctx, r, print), r.close(after), s.close(after))
}

func (p *plan) openSQL(ctx context.Context, d database, url, dir string) (*side, error) {
	switch d.name {
	case "PostgreSQL":
		return openPostgres(ctx, url, p.conns())
	case "MariaDB":
		return openMariaDB(ctx, url, p.conns())
	}
	return openSQLite(ctx, dir, strings.TrimPrefix(d.name, "SQLite "), p.conns())
}

// wants reports whether a contest of the database may be asked for.
func (p *plan) wants(database string) bool {
	name, _, _ := strings.Cut(p.only, ":")
	return p.only == "" || strings.HasPrefix(database, name)
}

// conns is as many as the most callers, so that none waits for a connection.
func (p *plan) conns() int {
	most := 1
	for _, n := range p.callers {
		most = max(most, n)
	}
	return most
}

// compare holds the contests of a database.
func (p *plan) compare(ctx context.Context, s interface {
	contests(context.Context) ([]*contest, error)
}, print *report,
) error {
	contests, err := s.contests(ctx)
	if err != nil {
		return err
	}
	return p.hold(ctx, contests, print)
}

// measureGrowth measures what becomes of a table as it grows.
func (p *plan) measureGrowth(ctx context.Context, s *side, print *report) error {
	contests, err := s.growth(ctx, p.rows)
	if err != nil {
		return err
	}
	if err := p.hold(ctx, contests, print); err != nil {
		return err
	}
	for _, rows := range p.rows {
		data, index, err := s.size(ctx, grown(rows))
		if err != nil {
			return err
		}
		print.size(s.name, rows, data, index)
	}
	pruned, err := s.prune(ctx, 1_000_000, 5*time.Second)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	print.pruning(s.name, pruned)
	return nil
}

// hold holds the contests that are wanted.
func (p *plan) hold(ctx context.Context, contests []*contest, print *report) error {
	for _, c := range contests {
		if !strings.Contains(c.name, p.only) {
			continue
		}
		if err := p.holdOne(ctx, c, print); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) holdOne(ctx context.Context, c *contest, print *report) error {
	// Warm connections, plans and caches.
	if _, err := c.together(ctx, p.conns(), p.budget/10); err != nil {
		return err
	}
	var all [][]figure
	for _, n := range p.callers {
		run := c.together
		if n == 1 {
			run = func(ctx context.Context, _ int, budget time.Duration) ([]figure, error) { return c.alone(ctx, budget) }
		}
		figures, err := run(ctx, n, p.budget)
		if err != nil {
			return err
		}
		if c.shares {
			if err := c.countTogether(ctx, n, figures); err != nil {
				return err
			}
		}
		all = append(all, figures)
	}
	counted, err := c.count(ctx)
	if err != nil {
		return err
	}
	print.contest(c, all, counted)
	if c.shares {
		print.shared(c, all)
	}
	return nil
}
