package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelpIsThereForEveryCommand(t *testing.T) {
	t.Parallel()
	in := typed{}
	overviewText := in.idem(t, "help").ok("release REF -guard", "resolve REF -guard", "Exit status").stdout
	require.Equal(t, overviewText, in.idem(t, "-h").ok().stdout)
	for _, tp := range topics() {
		text := in.idem(t, "help", tp.name).ok("usage: idem ", "Use it ", "What it does to running programs: ", "Example:\n").stdout
		require.Equal(t, text, in.idem(t, tp.name, "-h").ok().stdout)
		require.Equal(t, text, in.idem(t, tp.name, "operand", "--help").ok().stdout)
		require.Contains(t, overviewText, "\n  "+tp.name+" ")
		for line := range strings.Lines(text) {
			require.LessOrEqual(t, len(line), 88, "too wide for a terminal: %s", line)
		}
	}
}

// TestExamplesAreCallsThatWork: whoever copies a line from the help or from docs/ must not be told that it is wrong.
func TestExamplesAreCallsThatWork(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	fromDocument := calls(string(document), "$ idem ")
	require.NotEmpty(t, fromDocument)
	for _, tp := range topics() {
		examples := calls(tp.help, "  idem ")
		require.NotEmpty(t, examples, tp.name)
		fromDocument = append(fromDocument, examples...)
	}
	for _, args := range fromDocument {
		g, fs := globals{}, newFlagSet()
		g.flags(fs)
		require.NoError(t, fs.Parse(args), args)
		if fs.Arg(0) == "help" {
			continue
		}
		tp, ok := topicOf(fs.Arg(0))
		require.True(t, ok, args)
		cmd, own := tp.start(), newFlagSet()
		g.flags(own)
		cmd.flags(own)
		operands, err := parse(own, fs.Args()[1:])
		require.NoError(t, err, args)
		require.NoError(t, cmd.accept(operands), args)
	}
}

// calls returns the arguments of the lines with the prompt.
func calls(text, prompt string) (all [][]string) {
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, prompt); ok {
			rest, _, _ = strings.Cut(rest, " < ")
			rest = strings.ReplaceAll(rest, "REF", someRef)
			all = append(all, strings.Fields(strings.ReplaceAll(rest, "'", "")))
		}
	}
	return all
}
