package idem_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCodeInDocumentsIsCompiled: every block of Go in README.md and docs/ stands, line for line, in a Go file of this
// project, where it is compiled and run.
func TestCodeInDocumentsIsCompiled(t *testing.T) {
	t.Parallel()
	var sources []string
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			text, rerr := os.ReadFile(path)
			sources, err = append(sources, unindented(string(text))), rerr
		}
		return err
	}))
	documents, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	blocks := 0
	for _, document := range append(documents, "README.md") {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, block := range goBlocks(string(text)) {
			blocks++
			require.True(t, anyContains(sources, unindented(block)), "%s: no Go file holds\n%s", document, block)
		}
	}
	require.GreaterOrEqual(t, blocks, 3)
}

func goBlocks(markdown string) []string {
	var blocks []string
	for _, part := range strings.Split(markdown, "```go\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

// unindented drops indentation and blank lines, which a document may set as it likes.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func anyContains(sources []string, block string) bool {
	for _, source := range sources {
		if strings.Contains(source, block) {
			return true
		}
	}
	return false
}
