package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printer writes what a command found, for people or for programs.
type printer struct {
	w    io.Writer
	json bool
}

// print writes machine as JSON, or what text writes. It is one write, so that an error of text leaves nothing behind.
func (p printer) print(machine any, text func(w io.Writer)) error {
	var b bytes.Buffer
	if p.json {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(machine); err != nil {
			return err
		}
	} else {
		text(&b)
	}
	_, err := p.w.Write(b.Bytes())
	return err
}

// table writes rows in columns. The first row is the heading.
func table(w io.Writer, rows ...[]string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	_ = tw.Flush()
}

// cell is text that another program wrote, as it may stand on a terminal.
func cell(text string) string {
	switch {
	case text == "":
		return "-"
	case text != strings.TrimSpace(text), strings.HasPrefix(text, `"`), strings.ContainsFunc(text, hidden):
		return strconv.Quote(text)
	}
	return text
}

// hidden: characters that are not seen, or that change how others are seen.
func hidden(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }

// span is a duration as short as it can be read.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < 2*day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
