package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// hyphenRef begins with a hyphen, as one reference in 64 does.
var hyphenRef = backend.NewRef(backend.ID{62 << 2}, backend.Token{}).String()

func TestFlagsAndOperandsMayStandInAnyOrder(t *testing.T) {
	t.Parallel()
	require.True(t, strings.HasPrefix(hyphenRef, "-"))
	for _, c := range []struct {
		name     string
		args     []string
		operands []string
		guard    string
		json     bool
	}{
		{name: "the operand last", args: []string{"-guard", "g", "REF"}, operands: []string{"REF"}, guard: "g"},
		{name: "the operand first", args: []string{"REF", "-guard", "g"}, operands: []string{"REF"}, guard: "g"},
		{name: "the operand between", args: []string{"-json", "REF", "--guard=g"}, operands: []string{"REF"}, guard: "g", json: true},
		{name: "a switch takes no value", args: []string{"-json", "REF"}, operands: []string{"REF"}, json: true},
		{name: "standard input is an operand", args: []string{"REF", "-", "-guard", "g"}, operands: []string{"REF", "-"}, guard: "g"},
		{name: "a reference that begins with a hyphen", args: []string{hyphenRef, "-guard", "g"}, operands: []string{hyphenRef}, guard: "g"},
		{name: "the same behind flags", args: []string{"-guard", "g", hyphenRef, "-json"}, operands: []string{hyphenRef}, guard: "g", json: true},
		{name: "a value that begins with a hyphen", args: []string{"-guard", "-x", "REF"}, operands: []string{"REF"}, guard: "-x"},
		{name: "a value that looks like a reference", args: []string{"-guard", hyphenRef}, guard: hyphenRef},
		{name: "all behind two hyphens", args: []string{"-json", "--", "-guard", "g"}, operands: []string{"-guard", "g"}, json: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fs := newFlagSet()
			guard, asJSON := fs.String("guard", "", ""), fs.Bool("json", false, "")
			operands, err := parse(fs, c.args)
			require.NoError(t, err)
			require.Equal(t, c.operands, operands)
			require.Equal(t, c.guard, *guard)
			require.Equal(t, c.json, *asJSON)
		})
	}
}
