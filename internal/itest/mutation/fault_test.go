package mutation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is one thing that could be wrong with the library.
type fault struct {
	name    string   // what is wrong
	file    string   // where, from the root of the project
	right   string   // what stands there, exactly once
	wrong   string   // what stands there instead
	foundBy []string // the tests that must fail, each with its subtests, in the words of their tables
	tries   int      // within how many runs, where it takes a race to see it; 0 is one
}

// table is what is wrong with one part of the library, and the package whose tests must notice.
type table struct {
	module, pkg string   // the package, in its module's folder
	flags       []string // of its tests
	faults      []fault
}

// tables are all, by the part of the library.
var tables = map[string]table{
	"engine":      engine,
	"memory":      memory,
	"SQL":         inSQL,
	"GroupCommit": sharedInSQL,
	"Redis":       inRedis,
	"httpadapter": overHTTP,
}

// root is the folder of the project.
var root = func() string {
	dir, err := filepath.Abs("../../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// split says where in its file a fault is.
func (f fault) split(text string) (at int, err error) {
	if n := strings.Count(text, f.right); n != 1 {
		return 0, fmt.Errorf("%s: %d times in the file, and not once: %s", f.file, n, f.right)
	}
	return strings.Index(text, f.right), nil
}

func TestEveryFaultIsInTheCodeOnce(t *testing.T) {
	t.Parallel()
	named := make(map[string]bool)
	var wrong []error
	for _, table := range tables {
		for _, f := range table.faults {
			wrong = append(wrong, f.check())
			if named[f.name] {
				wrong = append(wrong, fmt.Errorf("two faults have the name %q", f.name))
			}
			named[f.name] = true
		}
		_, err := newOverlay(t.TempDir(), table.faults)
		wrong = append(wrong, err)
	}
	require.NoError(t, errors.Join(wrong...))
}

// check says what is wrong with a row.
func (f fault) check() error {
	text, err := os.ReadFile(filepath.Join(root, f.file))
	if err == nil {
		_, err = f.split(string(text))
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", f.name, err)
	case f.right == f.wrong:
		return fmt.Errorf("%s: nothing is wrong", f.name)
	case len(f.foundBy) == 0:
		return fmt.Errorf("%s: nobody finds it", f.name)
	}
	return nil
}
