package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of `go test -json`, as `go doc test2json` and `go help buildjson` describe it.
type event struct {
	Action, Package, ImportPath, Test, Output string
	FailedBuild                               string
	Elapsed                                   float64
}

// tally counts top-level tests. Skipped counts subtests too, since a skip must not hide in a test that passes; a
// package that fails without a failed test counts as one failure.
type tally struct{ packages, passed, failed, skipped int }

// log is what is known of the packages that are being tested.
type log struct {
	out    io.Writer
	tests  map[string][]*test // by package, in the order in which they began
	builds map[string]*strings.Builder
	tally  tally
	proof  proof
	faults []error // what could not be read
}

// test is one test, or with an empty name what a package says outside of its tests.
type test struct {
	name, outcome string
	output        strings.Builder
}

func newLog(out io.Writer) *log {
	return &log{out: out, tests: map[string][]*test{}, builds: map[string]*strings.Builder{}}
}

// read takes in events until in ends. Lines that are none are passed on. It fails if a count could not be read.
func (l *log) read(in io.Reader) error {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		if e, ok := parse(line); ok {
			l.add(e)
		} else {
			fmt.Fprint(l.out, line)
		}
		if errors.Is(err, io.EOF) {
			return errors.Join(l.faults...)
		}
		if err != nil {
			return err
		}
	}
}

func parse(line string) (event, bool) {
	var e event
	err := json.Unmarshal([]byte(line), &e)
	return e, err == nil && e.Action != ""
}

func (l *log) add(e event) {
	switch e.Action {
	case "output":
		l.test(e).output.WriteString(e.Output)
	case "build-output":
		l.build(e.ImportPath).WriteString(e.Output)
	case "pass", "fail", "skip":
		l.end(e)
	}
}

// test returns the test that e is about.
func (l *log) test(e event) *test {
	for _, t := range l.tests[e.Package] {
		if t.name == e.Test {
			return t
		}
	}
	t := &test{name: e.Test}
	l.tests[e.Package] = append(l.tests[e.Package], t)
	return t
}

func (l *log) build(path string) *strings.Builder {
	if l.builds[path] == nil {
		l.builds[path] = &strings.Builder{}
	}
	return l.builds[path]
}

func (l *log) end(e event) {
	if e.Test == "" {
		l.count(l.test(e).output.String())
		l.report(e)
		return
	}
	t := l.test(e)
	t.outcome = e.Action
	top := !strings.Contains(e.Test, "/")
	switch {
	case e.Action == "skip":
		l.tally.skipped++
	case top && e.Action == "pass":
		l.tally.passed++
	case top:
		l.tally.failed++
	}
}

// count takes in what a package says outside of its tests of what it did.
func (l *log) count(output string) {
	for line := range strings.Lines(output) {
		if text, ok := strings.CutPrefix(line, proofMark); ok {
			if err := l.proof.add(text); err != nil {
				l.faults = append(l.faults, err)
			}
		}
	}
}

// report prints what there is to say about a package that has ended, and forgets it.
func (l *log) report(e event) {
	tests := l.tests[e.Package]
	delete(l.tests, e.Package)
	l.tally.packages++
	passed, failed := 0, 0
	for _, t := range tests {
		if strings.Contains(t.name, "/") {
			continue
		}
		switch t.outcome {
		case "pass":
			passed++
		case "fail":
			failed++
		}
	}
	switch {
	case e.Action == "fail":
		l.fail(e, tests)
		if failed == 0 {
			l.tally.failed++
		}
	case len(tests) <= 1 && e.Action == "skip":
		fmt.Fprintf(l.out, "  none  %s\n", e.Package)
	default:
		fmt.Fprintf(l.out, "  ok    %s  %d passed, %.1f s\n", e.Package, passed, e.Elapsed)
	}
	l.skips(e.Package, tests)
}

// fail prints whatever did not pass, and not only what failed: a test that was running when its process died never ended.
func (l *log) fail(e event, tests []*test) {
	fmt.Fprintf(l.out, "  FAIL  %s  %.1f s\n", e.Package, e.Elapsed)
	if b := l.builds[e.FailedBuild]; b != nil {
		l.quote(b.String())
	}
	for _, t := range tests {
		if t.outcome != "pass" && t.outcome != "skip" {
			l.quote(t.output.String())
		}
	}
}

func (l *log) skips(pkg string, tests []*test) {
	for _, t := range tests {
		if t.outcome == "skip" {
			fmt.Fprintf(l.out, "  SKIP  %s  %s\n", pkg, t.name)
			l.quote(t.output.String())
		}
	}
}

// quote prints text indented, without the marks of tests that begin, pause and go on.
func (l *log) quote(text string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(l.out, "        ", line)
		}
	}
}
