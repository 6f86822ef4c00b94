package idem_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryGuaranteeIsShownByATest: each row of docs/guarantees.md says what is promised and what is not, and names tests
// that are there.
func TestEveryGuaranteeIsShownByATest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/guarantees.md")
	require.NoError(t, err)
	rows, faults := guaranteeFaults(string(text), os.DirFS("."))
	require.Empty(t, faults)
	require.GreaterOrEqual(t, rows, 60)
}

// guaranteeHead is the first line of each table of guarantees.
const guaranteeHead = "| What happens | idem promises | It does not promise | Shown by |"

// guaranteeFaults returns how many rows the page has, and what is wrong with them. Its links lead to files of tree.
func guaranteeFaults(page string, tree fs.FS) (rows int, faults []string) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || line == guaranteeHead || strings.Trim(line, "|-") == "" {
			continue
		}
		rows++
		if err := guaranteeFault(strings.Split(strings.Trim(line, "|"), "|"), tree); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", line, err))
		}
	}
	if tables := strings.Count(page, guaranteeHead); tables != strings.Count(page, "|---|---|---|---|\n") {
		faults = append(faults, "a table has another head")
	}
	return rows, faults
}

func guaranteeFault(cells []string, tree fs.FS) error {
	if len(cells) != 4 {
		return fmt.Errorf("it has %d cells", len(cells))
	}
	for i, cell := range cells {
		cells[i] = strings.TrimSpace(cell)
		if len(strings.TrimPrefix(cells[i], "—")) < 10 { // a dash gives its reason too
			return fmt.Errorf("cell %d says nothing", i+1)
		}
	}
	var all error
	for _, shown := range strings.Split(cells[3], " · ") {
		all = errors.Join(all, testFault(shown, tree))
	}
	return all
}

var testLink = regexp.MustCompile(`^\[(Test\w+)\]\(\.\./([\w/]+_test\.go)\)$`)

// testFault says why a link does not lead to a test.
func testFault(link string, tree fs.FS) error {
	parts := testLink.FindStringSubmatch(link)
	if parts == nil {
		return fmt.Errorf("%q is no link to a test", link)
	}
	text, err := fs.ReadFile(tree, path.Clean(parts[2]))
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), "\nfunc "+parts[1]+"(t *testing.T)") {
		return fmt.Errorf("%s has no %s", parts[2], parts[1])
	}
	return nil
}

// The test above says something only if a fault would be found.
func TestAGuaranteeThatIsNotShownIsFound(t *testing.T) {
	t.Parallel()
	const head = guaranteeHead + "\n|---|---|---|---|\n"
	tree := os.DirFS(".")
	sound := "| It is killed | It runs again later | —: nothing is lost | [TestKeysAreApart](../do_test.go) |\n"
	rows, faults := guaranteeFaults(head+sound+sound, tree)
	require.Equal(t, 2, rows)
	require.Empty(t, faults)
	for name, page := range map[string]string{
		"a test that is not there":   head + strings.Replace(sound, "TestKeysAreApart", "TestKeysAreApar", 1),
		"a test of another file":     head + strings.Replace(sound, "do_test", "tx_test", 1),
		"a file that is not there":   head + strings.Replace(sound, "do_test", "redo_test", 1),
		"a name without a link":      head + strings.Replace(sound, "(../do_test.go)", "", 1),
		"one of two tests":           head + strings.Replace(sound, "go) |", "go) · [TestNothing](../do_test.go) |", 1),
		"no test":                    head + strings.Replace(sound, "[TestKeysAreApart](../do_test.go)", "", 1),
		"a dash without a reason":    head + strings.Replace(sound, "—: nothing is lost", "—", 1),
		"nothing that is promised":   head + strings.Replace(sound, "It runs again later", " ", 1),
		"a row with a cell too few":  head + strings.Replace(sound, "| It is killed ", "", 1),
		"a table with another head":  strings.Replace(head, "It does not promise", "Limits of it", 1) + sound,
		"a row below one that is ok": head + sound + strings.Replace(sound, "Apart", "Together", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := guaranteeFaults(page, tree)
			require.NotEmpty(t, faults)
		})
	}
}
