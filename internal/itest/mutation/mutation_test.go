package mutation

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/internal/itest/proof"
)

func TestMain(m *testing.M) {
	status := m.Run()
	proof.Print(os.Stdout)
	os.Exit(status)
}

var (
	caught  = proof.Of("faults put into the library caught by the tests named for them")
	skipped = proof.Of("faults put into the library SKIPPED for want of a server")
)

func TestEveryFaultIsCaught(t *testing.T) {
	t.Parallel()
	for part, table := range tables {
		if testing.Short() && part != "memory" { // which is built in no time
			continue
		}
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			caught.Expect(int64(len(table.faults)))
			b := table.build(t)
			sound := b.runs(t, "", table.tests())
			for _, f := range table.faults {
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					b.catch(t, f, sound)
				})
			}
		})
	}
}

// tests are all that a table names.
func (tab table) tests() (all []string) {
	for _, f := range tab.faults {
		all = append(all, f.foundBy...)
	}
	return all
}

// build is the test binary of a table, in which all its faults sleep.
type build struct {
	binary, dir string
	flags       []string
}

// build makes the binary. Its tests are not vetted, which ./test does, and nobody debugs them.
func (tab table) build(t *testing.T) build {
	t.Helper()
	o, err := newOverlay(t.TempDir(), tab.faults)
	require.NoError(t, err)
	index, err := o.index()
	require.NoError(t, err)
	b := build{binary: filepath.Join(o.dir, "faulty.test"), dir: filepath.Join(root, tab.module, tab.pkg), flags: tab.flags}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", index, "-o", b.binary, "./"+tab.pkg)
	cmd.Dir = filepath.Join(root, tab.module)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "a fault that does not compile is none:\n%s", out)
	return b
}

// catch wakes a fault and demands that every test fails that is to find it, and passes without it.
func (b build) catch(t *testing.T, f fault, sound results) {
	t.Helper()
	var there, missing []string
	for _, test := range f.foundBy {
		if v := sound.verdict(test); v == skip {
			missing = append(missing, test)
		} else {
			require.Equalf(t, pass, v, "%s, without the fault:\n%s", test, sound.output(test))
			there = append(there, test)
		}
	}
	for try := 1; len(there) > 0; try++ {
		faulty := b.runs(t, f.name, there)
		there = slices.DeleteFunc(there, func(test string) bool { return faulty.verdict(test) == fail })
		if len(there) > 0 && try >= f.tries {
			require.Equalf(t, fail, faulty.verdict(there[0]), "%s, with the fault:\n%s", there[0], faulty.output(there[0]))
		}
	}
	if len(missing) > 0 {
		skipped.Add(1)
		t.Skipf("what would find it is skipped: %s", strings.Join(missing, "; "))
	}
	caught.Add(1)
}

// results are what test processes said, by how deep in one another the tests stand that each was asked for.
type results map[int]result

func (rs results) of(test string) result { return rs[strings.Count(test, "/")] }

func (rs results) output(test string) string { return rs.of(test).output }

func (rs results) verdict(test string) string { return rs.of(test).verdict(test) }

// runs runs tests with one fault awake or none. A process has tests of one depth, since a filter for subtests is one for
// those of every test.
func (b build) runs(t *testing.T, awake string, tests []string) results {
	t.Helper()
	byDepth := make(map[int][]string)
	for _, test := range tests {
		depth := strings.Count(test, "/")
		byDepth[depth] = append(byDepth[depth], test)
	}
	all := make(results)
	for depth, tests := range byDepth {
		all[depth] = b.run(t, awake, tests)
	}
	return all
}

// result is what a test process said.
type result struct {
	status int
	output string
}

// The verdicts.
const (
	pass = "PASS"
	fail = "FAIL"
	skip = "SKIP"
	none = "no verdict"
)

// patience is for how long the tests of one process may run, or hang where a fault makes them.
const patience = 2 * time.Minute

// run runs tests in a process of its own, with one fault awake or none.
func (b build) run(t *testing.T, awake string, tests []string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience+10*time.Second)
	defer cancel()
	flags := append([]string{"-test.v", "-test.timeout=" + patience.String(), "-test.run=" + pattern(tests)}, b.flags...)
	cmd := exec.CommandContext(ctx, b.binary, flags...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), chosen+"="+awake)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoErrorf(t, err, "%s", out)
	}
	return result{cmd.ProcessState.ExitCode(), string(out)}
}

// verdict is what the process says of a test. Where it says nothing there is no such test, or the process has died or hung
// before; where what a test belongs to is skipped, or what belongs to it, so is the test.
func (r result) verdict(test string) string {
	if strings.Contains(r.output, "panic: test timed out") {
		return none
	}
	for at := test; at != "."; at = path.Dir(at) {
		said := regexp.MustCompile(`(?m)^ *--- (\w+): ` + regexp.QuoteMeta(shown(at)) + ` \(`).FindStringSubmatch(r.output)
		switch {
		case said == nil:
			continue
		case at == test && said[1] == fail && r.status == 0:
			return none
		case at == test && said[1] == pass && strings.Contains(r.output, "--- SKIP: "+shown(at)+"/"):
			return skip
		case at == test, said[1] == skip:
			return said[1]
		}
		return none
	}
	return none
}

// shown is a test's name as package testing shows it.
func shown(test string) string { return strings.ReplaceAll(test, " ", "_") }

// pattern is what -test.run takes for tests: for each level all names there. So more is run than was asked for, where tests
// differ at two levels.
func pattern(tests []string) string {
	var levels [][]string
	for _, test := range tests {
		for i, part := range strings.Split(test, "/") {
			if part = regexp.QuoteMeta(shown(part)); i == len(levels) {
				levels = append(levels, []string{part})
			} else if !slices.Contains(levels[i], part) {
				levels[i] = append(levels[i], part)
			}
		}
	}
	var all []string
	for _, names := range levels {
		all = append(all, "^("+strings.Join(names, "|")+")$")
	}
	return strings.Join(all, "/")
}
