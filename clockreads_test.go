package idem_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A store decides by its server's clock. Only one that lives in this process may ask this process.
func TestNoBackendAsksThisProcessForTheTime(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, root := range []string{"backend", "drivers"} {
		walkFiles(t, root, func(file string) {
			name := filepath.ToSlash(file)
			exempt := strings.HasPrefix(name, "backend/memtest/") || strings.HasPrefix(name, "backend/backendtest/")
			if exempt || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return
			}
			seen++
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Empty(t, clockReads(t, name, src))
		})
	}
	require.NotZero(t, seen)
}

func TestAClockReadIsFoundUnderAnyName(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"by its own name":     `package p; import "time"; var x = time.Now()`,
		"by another name":     `package p; import clock "time"; var x = clock.Now()`,
		"as a value":          `package p; import "time"; var now = time.Now`,
		"as the time since":   `package p; import "time"; func f(t time.Time) any { return time.Since(t) }`,
		"as the time that is": `package p; import "time"; func f(t time.Time) any { return time.Until(t) }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Len(t, clockReads(t, "p.go", []byte(src)), 1)
		})
	}
	src := `package p; import "time"; type s struct{ Now int }; var time_ s; var x, y = time_.Now, time.Second // time.Now`
	require.Empty(t, clockReads(t, "p.go", []byte(src)))
}

// clockReads returns where src uses time.Now, time.Since or time.Until.
func clockReads(t *testing.T, name string, src []byte) []string {
	t.Helper()
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	require.NoError(t, err)
	local := ""
	for _, spec := range parsed.Imports {
		if spec.Path.Value == `"time"` {
			local = "time"
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var reads []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on, ok := sel.X.(*ast.Ident)
		if ok && local != "" && on.Name == local && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
			reads = append(reads, files.Position(sel.Pos()).String())
		}
		return true
	})
	return reads
}
