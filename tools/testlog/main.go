// Command testlog makes the output of `go test -json`, on its standard input, fit for reading: a line for each
// package, the whole output of what failed, and the reason of what was skipped. The figures go into the file that
// -tally names, for ./test to add up, and what test binaries counted is added to the file that -proof names.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	tally := flag.String("tally", "", "the file that receives \"packages passed failed skipped\"")
	proof := flag.String("proof", "", "the file to whose counts those of the test binaries are added")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *tally, *proof); err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, tally, proof string) error {
	l := newLog(out)
	if proof != "" {
		if err := l.proof.addFile(proof); err != nil {
			return err
		}
	}
	unread := l.read(in)
	if proof != "" {
		if err := l.proof.write(proof); err != nil {
			return err
		}
	}
	if tally != "" {
		t := l.tally
		line := fmt.Sprintln(t.packages, t.passed, t.failed, t.skipped)
		if err := os.WriteFile(tally, []byte(line), 0o600); err != nil {
			return err
		}
	}
	return unread
}
