// Package proof counts what tests did, so that whoever reads their outcome knows how much stands behind it: how many
// processes were killed, how many answers were lost. A test binary prints its counts at its end; ./test adds up those of
// all modules and shows them before its last lines.
//
// A count is a line of its own that begins with "proof: ", as tools/testlog reads it:
//
//	proof: 500 kills at a named point
//	proof: 12 of 12 mutations caught
package proof

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Count is how often something was done. It is for concurrent use.
type Count struct {
	what   string
	done   atomic.Int64
	of     atomic.Int64
	isPart atomic.Bool
}

// counts are all that this process has, in the order in which they were made.
var counts struct {
	sync.Mutex
	all []*Count
}

// Of makes a count of what, which is in the plural: "kills at a named point". It is printed even if it stays zero.
func Of(what string) *Count {
	c := &Count{what: what}
	counts.Lock()
	defer counts.Unlock()
	counts.all = append(counts.all, c)
	return c
}

// Add adds n.
func (c *Count) Add(n int64) { c.done.Add(n) }

// Expect says that n more ought to be counted, and has the count printed as a part of all that ought to be.
func (c *Count) Expect(n int64) {
	c.isPart.Store(true)
	c.of.Add(n)
}

func (c *Count) String() string {
	if c.isPart.Load() {
		return fmt.Sprintf("proof: %d of %d %s", c.done.Load(), c.of.Load(), c.what)
	}
	return fmt.Sprintf("proof: %d %s", c.done.Load(), c.what)
}

// Print prints all counts. It is for the end of TestMain: what a single test prints is not read.
func Print(out io.Writer) {
	counts.Lock()
	defer counts.Unlock()
	for _, c := range counts.all {
		fmt.Fprintln(out, c)
	}
}
