package adaptertest_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/idem-go/idem/httpadapter/adaptertest"
)

var update = flag.Bool("update", false, "write docs/draft.md")

const (
	page = "../../docs/draft.md"
	head = `# The draft, requirement by requirement

What draft-ietf-httpapi-idempotency-key-header-07 demands, in our words, and what idem does about it. The draft expired in
April 2026 and is not an RFC. The rows are those of the kit in httpadapter/adaptertest, which every adapter of ours passes:
` + "`go test -v ./httpadapter/adaptertest` shows them as they are checked" + `. Its package holds this table; after a change
there, ` + "`go test ./httpadapter/adaptertest -run ThePage -update`" + ` writes this page.

| | section | who | | what | idem | rows |
|---|---|---|---|---|---|---|
`
)

// TestThePageSaysWhatTheKitChecks holds docs/draft.md against Requirements.
func TestThePageSaysWhatTheKitChecks(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(head)
	for _, q := range adaptertest.Requirements() {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s |\n", q.No, q.Section, q.Of, q.Level, q.Text, q.Answer, strings.Join(q.Rows, "; "))
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != b.String() {
		t.Errorf("docs/draft.md is not what Requirements says; run: go test ./httpadapter/adaptertest -run ThePage -update")
	}
}
