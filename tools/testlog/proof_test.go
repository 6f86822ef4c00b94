package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// says is an event in which a package says something outside of its tests.
func says(pkg, line string) string {
	return `{"Action":"output","Package":"` + pkg + `","Output":"` + line + `\n"}` + "\n"
}

func ends(pkg, how string) string { return `{"Action":"` + how + `","Package":"` + pkg + `"}` + "\n" }

func TestCountsOfAllPackagesAndRunsAddUp(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "proof")
	for _, events := range []string{
		says("p", "proof: 500 kills") + says("p", "proof: 3 of 4 mutations caught") + says("q", "proof: 7 kills") + ends("q", "pass") + ends("p", "fail"),
		says("r", "PASS") + says("r", "proof: 2 of 2 mutations caught") + says("r", "proof: 0 stops") + ends("r", "pass"),
	} {
		if err := run(strings.NewReader(events), new(strings.Builder), "", file); err != nil {
			t.Fatal(err)
		}
	}
	want := "507 kills\n5 of 6 mutations caught\n0 stops\n"
	if got := read(t, file); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatATestSaysIsNoCount(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "proof")
	events := `{"Action":"output","Package":"p","Test":"TestA","Output":"proof: 3 kills\n"}` + "\n" + says("p", "a proof: 3 kills") + ends("p", "pass")
	if err := run(strings.NewReader(events), new(strings.Builder), "", file); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestACountThatCannotBeReadFails(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"proof: many kills", "proof: 3", "proof: ", "proof: 3 of them caught", "proof: 3 of 4"} {
		err := run(strings.NewReader(says("p", line)+ends("p", "pass")), new(strings.Builder), "", filepath.Join(t.TempDir(), "proof"))
		if err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
