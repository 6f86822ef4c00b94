package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// plot is a bar chart in SVG: a group for each contest, a bar for each contestant, as long as its time is beside idem's.
type plot struct {
	callers int
	groups  []plotGroup
}

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
		g.bars = append(g.bars, plotBar{name: who.name, ratio: figures[i].ratio / figures[ours].ratio, ours: i == ours})
	}
	p.groups = append(p.groups, g)
}

const (
	plotWidth  = 860
	plotNames  = 300 // the width of the names
	plotLine   = 18
	plotLong   = 3.0 // the longest bar, in calls of idem's: what is longer is cut and says so
	plotScale  = (plotWidth - plotNames - 90) / plotLong
	plotHeader = 46
)

// svg draws the chart. Its colours suit a light and a dark page.
func (p *plot) svg() []byte {
	var b bytes.Buffer
	lines := 0
	for _, g := range p.groups {
		lines += len(g.bars) + 2
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeader+lines*plotLine)
	fmt.Fprint(&b, `<style>text{fill:#555}.h{font-weight:bold}.o{fill:#2a7}.b{fill:#9ab}@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>`+"\n")
	fmt.Fprintf(&b, `<text class="h" x="10" y="20">Time of a call over that of idem's, %d callers. Shorter is faster.</text>`+"\n", p.callers)
	y := plotHeader
	for _, g := range p.groups {
		fmt.Fprintf(&b, `<text class="h" x="10" y="%d">%s</text>`+"\n", y, escaped(g.name))
		for _, bar := range g.bars {
			y += plotLine
			bar.draw(&b, y)
		}
		y += 2 * plotLine
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (bar plotBar) draw(b *bytes.Buffer, y int) {
	class, mark := "b", ""
	if bar.ours {
		class = "o"
	}
	if bar.ratio > plotLong {
		mark = " →"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotNames-8, y, escaped(bar.name))
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.0f" height="12"/>`, class, plotNames, y-10, min(bar.ratio, plotLong)*plotScale)
	fmt.Fprintf(b, `<text x="%.0f" y="%d">%.2f%s</text>`+"\n", plotNames+min(bar.ratio, plotLong)*plotScale+6, y, bar.ratio, mark)
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}
