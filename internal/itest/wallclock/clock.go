// Package wallclock gives a server of a test's own a clock that the test moves. Timers run on: they go by the monotonic
// clock, which is left alone. Where what it needs is not installed the test is skipped.
//
// The clock is libfaketime's, which stands before the C library of the server's process. In a Redis it does not work: it
// allocates when it is asked first, and Redis's allocator asks for the time, without an end. For such a server there is a
// library of a few lines in clock.c, which the C compiler makes. It does not know absolute deadlines of conditions, by
// which MariaDB waits, so that it is no substitute for the other.
package wallclock

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed preload/clock.c
var source []byte

// Clock is what servers take for the time of day. Its methods are for the test's goroutine.
type Clock struct {
	t    testing.TB
	dir  string
	text string   // the file that libfaketime reads
	page *os.File // the file that our own library looks at
}

// New returns a clock that is right.
func New(t testing.TB) *Clock {
	t.Helper()
	dir, err := os.MkdirTemp("", "idem-clock-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &Clock{t: t, dir: dir, text: filepath.Join(dir, "offset")}
	if err = os.Chmod(dir, 0o755); err == nil { // a server may run under an account of its own
		c.page, err = os.OpenFile(filepath.Join(dir, "page"), os.O_CREATE|os.O_RDWR, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.page.Close() })
	c.Set(0)
	return c
}

// Env is the environment of a server that goes by the clock.
func (c *Clock) Env() []string {
	c.t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		c.t.Skip("libfaketime is not installed (./test --install installs it)")
	}
	return []string{
		"LD_PRELOAD=" + found[0],
		"FAKETIME_TIMESTAMP_FILE=" + c.text,
		"FAKETIME_NO_CACHE=1",
		"FAKETIME_DONT_FAKE_MONOTONIC=1",
		"DONT_FAKE_MONOTONIC=1", // its older name
	}
}

// BareEnv is Env for a server whose allocator asks for the time.
func (c *Clock) BareEnv() []string {
	c.t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		c.t.Skip("there is no C compiler (./test --install installs one)")
	}
	from, library := filepath.Join(c.dir, "clock.c"), filepath.Join(c.dir, "clock.so")
	if err := os.WriteFile(from, source, 0o644); err != nil {
		c.t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-o", library, from).CombinedOutput(); err != nil {
		c.t.Fatalf("compile the clock: %v: %s", err, out)
	}
	return []string{"LD_PRELOAD=" + library, "IDEM_CLOCK=" + c.page.Name()}
}

// Set puts the clock so far before the right time, or behind it. Who looks at it next sees that.
func (c *Clock) Set(offset time.Duration) {
	c.t.Helper()
	seconds := int64(offset / time.Second)
	_, err := c.page.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(seconds)), 0)
	next := c.text + ".next"
	if err == nil {
		err = os.WriteFile(next, fmt.Appendf(nil, "%+d\n", seconds), 0o644)
	}
	if err == nil {
		err = os.Rename(next, c.text)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}
