// Command testlog makes the output of `go test -json`, on its standard input, fit for reading: a line for each
// package, the whole output of what failed, and the reason of what was skipped. The figures go into the file that
// -tally names, for ./test to add up.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	tally := flag.String("tally", "", "the file that receives \"packages passed failed skipped\"")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *tally); err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, tally string) error {
	l := newLog(out)
	if err := l.read(in); err != nil {
		return err
	}
	if tally == "" {
		return nil
	}
	t := l.tally
	line := fmt.Sprintln(t.packages, t.passed, t.failed, t.skipped)
	return os.WriteFile(tally, []byte(line), 0o600)
}
