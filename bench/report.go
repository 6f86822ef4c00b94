package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report prints tables in Markdown.
type report struct {
	out     io.Writer
	callers []int
	plot    plot
	plotted int // which number of callers the plot is for
}

func newReport(out io.Writer, callers []int) *report {
	r := &report{out: out, callers: callers, plotted: len(callers) - 1}
	if at := slices.Index(callers, plotCallers); at >= 0 {
		r.plotted = at
	}
	r.plot.callers = callers[r.plotted]
	return r
}

func (r *report) skipped(name, variable string) {
	fmt.Fprintf(r.out, "\n**SKIPPED: %s: %s names no server**\n", name, variable)
}

func (r *report) failed(name string, err error) {
	fmt.Fprintf(r.out, "\n**FAILED: %s: %v**\n", name, err)
}

// contest prints one table: a row for each contestant, and for each number of callers the time of a call and its ratio to
// the first row's, with the quartiles of that.
func (r *report) contest(c *contest, figures [][]figure, counted []exact) {
	r.plot.add(c, figures[r.plotted])
	head := []string{c.name}
	for _, n := range r.callers {
		head = append(head, fmt.Sprintf("callers: %d, µs", n), "×", "quartiles")
	}
	names := slices.Sorted(maps.Keys(counted[0].counts))
	head = append(append(head, "round trips"), names...)
	head = append(head, "allocations")
	fmt.Fprintf(r.out, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for i, who := range c.contestants {
		row := []string{who.name}
		for _, of := range figures {
			f := of[i]
			row = append(row, fmt.Sprintf("%.1f", float64(f.perOp)/float64(time.Microsecond)), fmt.Sprintf("**%.2f**", f.ratio), fmt.Sprintf("%.2f to %.2f", f.lowest, f.most))
		}
		row = append(row, trips(who, counted[i]))
		for _, name := range names {
			row = append(row, fmt.Sprintf("%.0f", counted[i].counts[name]))
		}
		row = append(row, fmt.Sprintf("%.0f", counted[i].allocs))
		fmt.Fprintf(r.out, "| %s |\n", strings.Join(row, " | "))
	}
}

// shared prints what a contest with callers who share something adds to that: how long the slowest of a hundred calls takes, and what
// is counted, for each number of callers.
func (r *report) shared(c *contest, figures [][]figure) {
	names := slices.Sorted(maps.Keys(figures[0][0].exact.counts))
	head := append([]string{c.name + ", a call", "callers", "p99, µs", "×", "round trips"}, names...)
	fmt.Fprintf(r.out, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for i, who := range c.contestants {
		for n, of := range figures {
			row := []string{
				who.name, strconv.Itoa(r.callers[n]), fmt.Sprintf("%.0f", float64(of[i].slow)/float64(time.Microsecond)),
				fmt.Sprintf("**%.2f**", float64(of[i].slow)/float64(of[0].slow)), trips(who, of[i].exact),
			}
			for _, name := range names {
				row = append(row, fmt.Sprintf("%.2f", of[i].exact.counts[name]))
			}
			fmt.Fprintf(r.out, "| %s |\n", strings.Join(row, " | "))
		}
	}
	if len(names) == 0 {
		fmt.Fprintf(r.out, "\n%s: there are no round trips, and nothing counts the flushes\n", c.name)
	}
}

// size prints what a row takes.
func (r *report) size(name string, rows int, data, index int64) {
	const mb = 1 << 20
	fmt.Fprintf(r.out, "\n%s, %d rows: %d MB and %d MB of index, **%d bytes a row**\n", name, rows, data/mb, index/mb, (data+index)/int64(rows))
}

// pruning prints what was noticed of a Prune.
func (r *report) pruning(name string, p *pruning) {
	walk := float64(p.rows) / p.took.Seconds()
	fmt.Fprintf(r.out, "\n| %s: prune %d rows | claims | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|\n", name, p.rows)
	for _, l := range []struct {
		name string
		latency
	}{{"quiet", p.quiet}, {"during", p.during}} {
		fmt.Fprintf(r.out, "| %s | %d | %.2f | %.2f | %.1f |\n", l.name, l.claims, l.p50, l.p99, l.most)
	}
	fmt.Fprintf(r.out, "\np99 during over quiet **%.2f**; %.0f rows/s in %.1f s, **%.1f** times the %.0f rows/s of batches in the order of expiry\n",
		p.during.p99/p.quiet.p99, walk, p.took.Seconds(), walk/p.batches, p.batches)
}

func trips(who contestant, e exact) string {
	if who.trips == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", e.trips)
}
