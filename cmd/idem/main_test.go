package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

var someRef = backend.NewRef(backend.ID{1}, backend.Token{2}).String()

func TestWrongUsageIsOneLineAndExitStatusTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, args, want string }{
		{"no command", "", "there is no command"},
		{"an unknown command", "lst", `unknown command "lst"; see: idem help`},
		{"an unknown flag before the command", "-x list", "not defined: -x"},
		{"an unknown flag of the command", "list -guard g -x", "not defined: -x; see: idem help list"},
		{"help on two commands", "help list show", "help takes one command"},
		{"help on an unknown command", "help lst", `unknown command "lst"`},

		{"list without a guard", "list", "-guard is missing"},
		{"list with an operand", "list payments", "an argument too many"},
		{"list with an unknown state", "list -guard g -state held", "-state must be"},
		{"list with a negative age", "list -guard g -older -1m", "-older must not be negative"},
		{"list with an age without a unit", "list -guard g -older 10", "-older"},
		{"list with a limit of none", "list -guard g -limit 0", "-limit must be at least 1"},
		{"list with a flag whose value is missing", "list -guard", "flag needs an argument: -guard"},

		{"show of nothing", "show", "which record?"},
		{"show without a user", "show -guard g -key k", "-user is missing"},
		{"show without a key", "show -guard g -user u", "-key is missing"},
		{"show of a reference and a key", "show -key k " + someRef, "either a REF, or"},
		{"show of what is no reference", "show 1234", "not a record reference"},
		{"show of two references", "show " + someRef + " " + someRef, "an argument too many"},

		{"release without a reference", "release -guard g", "the REF is missing"},
		{"release without a guard", "release " + someRef, "-guard is missing"},
		{"release of a reference that was cut", "release -guard g " + someRef[1:], "not a record reference"},

		{"resolve without an answer", "resolve -guard g " + someRef, "give the answer once"},
		{"resolve with two answers", "resolve -guard g -answer {} -answer-file f " + someRef, "give the answer once"},
		{"resolve with an answer and standard input", "resolve -guard g -answer {} - " + someRef, "give the answer once"},
		{"resolve without a reference", "resolve -guard g -answer {}", "the REF is missing"},
		{"resolve without a guard", "resolve -answer {} " + someRef, "-guard is missing"},
		{"resolve with another codec", "resolve -guard g -codec gob -answer {} " + someRef, "only json"},

		{"forget without a key", "forget -guard g -user u", "-key is missing"},
		{"forget with an operand", "forget -guard g -user u -key k yes", "an argument too many"},
		{"forget-user without a user", "forget-user -guard g", "-user is missing"},
		{"prune with an operand", "prune payments", "an argument too many"},
		{"check with an operand", "check payments", "an argument too many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			missing := filepath.Join(t.TempDir(), "missing.db") // what is wrong must be said before the store is opened
			r := typed{backend: "sqlite:" + missing}.idem(t, strings.Fields(c.args)...).fails(exitUsage, c.want)
			require.Empty(t, r.stdout)
		})
	}
}

func TestWhatOnlyTheGuardCanTellIsWrongUsageToo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	s.idem("list", "-guard", "Payments").fails(exitUsage, "option name")
	s.idem("show", "-guard", "payments", "-user", "u", "-key", "a\x00b").fails(exitUsage, "control character")
	s.idem("forget-user", "-guard", "payments", "-user", "a\x00b", "-yes").fails(exitUsage, "control character")
	s.idem("resolve", rec.Ref.String(), "-guard", "payments", "-answer", "{}", "-retention", "0s").fails(exitUsage, "Retention")
	require.Equal(t, backend.Unknown, s.lookup("k").State)
}

func TestAStoreMustBeNamed(t *testing.T) {
	t.Parallel()
	typed{}.idem(t, "check").fails(exitUsage, "-backend sqlite:FILE, or set IDEM_BACKEND")
}

func TestTheFlagOverridesTheEnvironmentAndStandsAnywhere(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	in := typed{backend: "nonsense"}
	in.idem(t, "-backend", s.url(), "check").ok()
	in.idem(t, "check", "-backend", s.url()).ok()
	in.idem(t, "-backend", "nonsense too", "check", "-backend", s.url()).ok()
	in.idem(t, "check").fails(exitFault, "the URL must begin with a scheme")
	require.Equal(t, s.idem("-json", "check").stdout, s.idem("check", "-json").stdout)
}

func TestAPasswordInTheURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"nowhere://u:pa55word@host/db", "pa55word", "sqlite://pa55word/db"} {
		r := typed{backend: url}.idem(t, "check")
		require.Equal(t, exitFault, r.status)
		require.NotContains(t, strings.ReplaceAll(r.stderr, `"pa55word/db"`, ""), "pa55word")
	}
}

func TestOpeningCreatesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string // beside the directory of the test
		query      string
		prepare    func(file string) error
		want       string
	}{
		{name: "a missing file", file: "missing.db", want: "there is no file"},
		{name: "a missing file under a name that is escaped", file: "a%3Fb%25.db", want: `a?b%.db`},
		{name: "a missing file with parameters", file: "missing.db", query: "?synchronous=normal", want: "there is no file"},
		{name: "a missing directory", file: "none/missing.db", want: "there is no file"},
		{name: "a directory", file: "", want: "is not a file"},
		{name: "an empty file", file: "empty.db", prepare: func(file string) error { return os.WriteFile(file, nil, 0o600) }, want: "is empty"},
		{name: "a file of something else", file: "text.db", prepare: func(file string) error {
			return os.WriteFile(file, []byte(strings.Repeat("text\n", 1000)), 0o600)
		}, want: "not a database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, prefix := range []string{"sqlite:", "sqlite://"} {
				dir := t.TempDir()
				if c.prepare != nil {
					require.NoError(t, c.prepare(filepath.Join(dir, c.file)))
				}
				before, err := os.ReadDir(dir)
				require.NoError(t, err)
				typed{backend: prefix + dir + "/" + c.file + c.query}.idem(t, "check").fails(exitFault, c.want)
				after, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Equal(t, len(before), len(after))
			}
		})
	}
}

func TestAFileThatTheDriverRefusesIsItsAffair(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:":           "name a file",
		"sqlite:a%zz":       "must be written as %3F",
		"sqlite::memory:":   "there is no file",
		"sqlite://host/a":   "there is no file",
		"sqlite:main.go?x=": "unknown parameter",
	} {
		typed{backend: url}.idem(t, "check").fails(exitFault, want)
	}
}

func TestAStoreThatIsNotLinkedIsRefused(t *testing.T) {
	t.Parallel()
	typed{backend: "mongodb://localhost"}.idem(t, "check").fails(exitFault, `unknown scheme "mongodb"`)
}

func TestAnInterruptIsSaid(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	typed{backend: s.url()}.idemUnder(ctx, t, "list", "-guard", "payments").fails(exitFault, "idem list: interrupted")
}

func TestAStoreThatCannotBeClosedIsAFault(t *testing.T) {
	t.Parallel()
	typed{backend: "test-unclosed:"}.idem(t, "prune").fails(exitFault, errUnclosed.Error())
}

func TestAStoreThatCannotBeLookedInto(t *testing.T) {
	t.Parallel()
	in := typed{backend: "test-bare:"}
	for _, args := range []string{
		"list -guard g", "show -guard g -user u -key k", "show " + someRef, "release -guard g " + someRef,
		"resolve -guard g -answer {} " + someRef, "forget -guard g -user u -key k", "forget-user -guard g -user u -yes", "prune", "check",
	} {
		in.idem(t, strings.Fields(args)...).fails(exitFault, "not supported by this store")
	}
}

// brokenPipe is a terminal that went away.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestOutputThatCannotBeWrittenIsAFault(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	for _, args := range [][]string{
		{"help"},
		{"help", "list"},
		{"list", "-h"},
		{"-h"},
		{"list", "-guard", "payments"},
		{"show", rec.Ref.String()},
		{"prune"},
		{"check"},
		{"forget", "-guard", "payments", "-user", "account-7", "-key", "k"},
		{"forget-user", "-guard", "payments", "-user", "account-7"},
		{"release", "-guard", "payments", rec.Ref.String()},
	} {
		var stderr strings.Builder
		status := run(t.Context(), args, console{func(string) string { return s.url() }, strings.NewReader(""), brokenPipe{}, &stderr})
		require.Equal(t, exitFault, status, args)
		require.Contains(t, stderr.String(), "broken pipe")
	}
}
