package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// report prints tables in Markdown.
type report struct {
	out     io.Writer
	callers []int
}

func newReport(out io.Writer, callers []int) *report { return &report{out: out, callers: callers} }

func (r *report) skipped(name, variable string) {
	fmt.Fprintf(r.out, "\n**SKIPPED: %s: %s names no server**\n", name, variable)
}

// contest prints one table: a row for each contestant, and for each number of callers the time of a call and its ratio to
// the first row's, with the quartiles of that.
func (r *report) contest(c *contest, figures [][]figure, counted []exact) {
	head := []string{c.name}
	for _, n := range r.callers {
		head = append(head, fmt.Sprintf("%d callers, µs", n), "×", "quartiles")
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

func trips(who contestant, e exact) string {
	if who.trips == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", e.trips)
}
