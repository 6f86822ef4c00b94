package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatALogBecomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		events []string
		tally  string
		shown  []string
		hidden []string
	}{
		{
			name: "a package that passes is one line, and its subtests do not count",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/sub"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p","Elapsed":1.25}`,
			},
			tally:  "1 1 0 0",
			shown:  []string{"ok    p  1 passed, 1.2 s"},
			hidden: []string{"chatter"},
		},
		{
			name: "a failure shows the output of what failed, and of nothing else",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"wrong sum\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Output":"-test.shuffle 7\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			tally:  "1 1 1 0",
			shown:  []string{"FAIL  p", "wrong sum", "-test.shuffle 7"},
			hidden: []string{"chatter"},
		},
		{
			name: "a process that dies shows the test that was running and counts as a failure",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			tally: "1 0 1 0",
			shown: []string{"panic: test timed out"},
		},
		{
			name: "a package that does not compile shows why and counts as a failure",
			events: []string{
				`{"ImportPath":"p [p.test]","Action":"build-output","Output":"undefined: x\n"}`,
				`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			},
			tally: "1 0 1 0",
			shown: []string{"FAIL  p", "undefined: x"},
		},
		{
			name: "a skipped subtest is loud and counts",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA/sub","Output":"no server\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA/sub"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			tally: "1 1 0 1",
			shown: []string{"SKIP  p  TestA/sub", "no server"},
		},
		{
			name: "a package without tests is not a skip",
			events: []string{
				`{"Action":"output","Package":"p","Output":"?   p  [no test files]\n"}`,
				`{"Action":"skip","Package":"p"}`,
			},
			tally: "1 0 0 0",
			shown: []string{"none  p"},
		},
		{
			name:   "a line that is no event is passed on",
			events: []string{"a warning of the linker"},
			tally:  "0 0 0 0",
			shown:  []string{"a warning of the linker"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shown, tally := logOf(t, strings.Join(c.events, "\n"))
			if tally != c.tally {
				t.Errorf("tally: got %q, want %q", tally, c.tally)
			}
			for _, want := range c.shown {
				if !strings.Contains(shown, want) {
					t.Errorf("%q is missing in\n%s", want, shown)
				}
			}
			for _, not := range c.hidden {
				if strings.Contains(shown, not) {
					t.Errorf("%q should not be in\n%s", not, shown)
				}
			}
		})
	}
}

func logOf(t *testing.T, events string) (shown, tally string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tally")
	var out strings.Builder
	if err := run(strings.NewReader(events), &out, file, ""); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), strings.TrimSpace(string(raw))
}
