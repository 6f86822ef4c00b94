package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpansAreShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                      "0s",
		1234 * time.Microsecond:                "1ms",
		999 * time.Millisecond:                 "999ms",
		61*time.Second + 400*time.Millisecond:  "1m1s",
		time.Hour:                              "1h0m",
		47*time.Hour + 59*time.Minute:          "47h59m",
		51 * time.Hour:                         "2d3h",
		-90 * time.Second:                      "-1m30s",
		24*time.Hour + 31*time.Minute + 1:      "24h31m",
		365*24*time.Hour + 59*time.Minute + 59: "365d0h",
	} {
		require.Equal(t, want, span(d))
	}
}

func TestCellsCannotDisturbTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                "-",
		"stripe pi_123":   "stripe pi_123",
		"Zoë 注文":          "Zoë 注文",
		"a\tb\nc":         `"a\tb\nc"`,
		"\x1b[2J":         `"\x1b[2J"`,
		"abc\u202edef":    `"abc\u202edef"`,
		"zero\u200bwidth": `"zero\u200bwidth"`,
		" padded ":        `" padded "`,
		`"quoted"`:        `"\"quoted\""`,
		"a\u00a0b":        `"a\u00a0b"`,
		"broken\xff":      `"broken\xff"`,
	} {
		require.Equal(t, want, cell(text), "%q", text)
	}
}
