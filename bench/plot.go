package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// plot is a bar chart in SVG, first runs on the left and replays on the right: a group for each contest, a bar for each
// contestant, as long as its time is beside idem's.
type plot struct {
	callers int
	columns [2][]plotGroup
}

// plotted are the ends of the names of the contests in each column. Others would make the chart too long to be looked at.
var plotted = [2]string{": first run", ": replay"}

type plotGroup struct {
	name string
	bars []plotBar
}

type plotBar struct {
	name  string
	ratio float64 // over idem's call
	ours  bool
}

// add takes in a contest's figures with one number of callers. One without a call of idem's has nothing to stand beside.
func (p *plot) add(c *contest, figures []figure) {
	ours := -1
	for i, who := range c.contestants {
		if strings.HasPrefix(who.name, "idem.Do") {
			ours = i
		}
	}
	if ours < 0 {
		return
	}
	g := plotGroup{name: c.name}
	for i, who := range c.contestants {
		name, _, _ := strings.Cut(strings.TrimSuffix(who.name, ", no answer"), ", a ") // what it does, the tables say
		g.bars = append(g.bars, plotBar{name: name, ratio: figures[i].ratio / figures[ours].ratio, ours: i == ours})
	}
	for i, end := range plotted {
		if strings.HasSuffix(c.name, end) {
			p.columns[i] = append(p.columns[i], g)
		}
	}
}

const (
	plotCallers = 32 // where so many were measured

	plotColumn = 480 // the width of a column
	plotNames  = 190 // of the names in it
	plotLine   = 18
	plotLong   = 3.0 // the longest bar, in calls of idem's: what is longer is cut and says so
	plotScale  = (plotColumn - plotNames - 70) / plotLong
	plotHeader = 46
)

// svg draws the chart. Its colours suit a light and a dark page.
func (p *plot) svg() []byte {
	var chart bytes.Buffer
	end := 0
	for i, groups := range p.columns {
		y := plotHeader
		for _, g := range groups {
			y = g.draw(&chart, i*plotColumn, y)
		}
		end = max(end, y)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", len(p.columns)*plotColumn, end-plotLine)
	fmt.Fprint(&b, `<style>text{fill:#555}.h{font-weight:bold}.o{fill:#2a7}.b{fill:#9ab}@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>`+"\n")
	fmt.Fprintf(&b, `<text class="h" x="10" y="20">Time of a call over that of idem's, callers: %d. Shorter is faster.</text>`+"\n", p.callers)
	b.Write(chart.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw draws a group from a point on, and returns where the next one begins.
func (g plotGroup) draw(b *bytes.Buffer, x, y int) int {
	fmt.Fprintf(b, `<text class="h" x="%d" y="%d">%s</text>`+"\n", x+10, y, escaped(g.name))
	for _, bar := range g.bars {
		y += plotLine
		bar.draw(b, x+plotNames, y)
	}
	return y + 2*plotLine
}

func (bar plotBar) draw(b *bytes.Buffer, x, y int) {
	class, mark := "b", ""
	if bar.ours {
		class = "o"
	}
	if bar.ratio > plotLong {
		mark = " →"
	}
	long := min(bar.ratio, plotLong) * plotScale
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, x-8, y, escaped(bar.name))
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.0f" height="12"/>`, class, x, y-10, long)
	fmt.Fprintf(b, `<text x="%.0f" y="%d">%.2f%s</text>`+"\n", float64(x)+long+6, y, bar.ratio, mark)
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}
