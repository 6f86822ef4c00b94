package itest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/idem-go/idem/internal/itest/proxy"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(clocked{m}, goleak.Cleanup(func(status int) {
		fmt.Println(tally.String())
		os.Exit(status)
	}))
}

// clocked are tests beside which the clock of stalls runs.
type clocked struct{ *testing.M }

func (m clocked) Run() int {
	stop, err := stalls.start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "itest:", err)
		return 1
	}
	defer stop()
	return m.M.Run()
}

// tally counts what was done to processes, for the last line.
var tally counts

type counts struct {
	kills    atomic.Int64 // at a named point
	ambushes atomic.Int64 // at a random time
	cut      atomic.Int64 // calls that an ambush left without an answer
	stops    atomic.Int64
	rounds   atomic.Int64 // of many callers with one key
	faults   atomic.Int64 // of the network
	lost     atomic.Int64 // answers of a server that a fault swallowed after it had carried out what was asked
}

// network counts a fault of the network.
func (c *counts) network(f proxy.Fault) {
	c.faults.Add(1)
	if f.At == proxy.Answered {
		c.lost.Add(1)
	}
}

func (c *counts) String() string {
	return fmt.Sprintf("itest: %d kills at named points, %d at random times (%d calls cut off), %d stops, %d rounds of many callers with one key, "+
		"%d faults of the network (%d answers lost)",
		c.kills.Load(), c.ambushes.Load(), c.cut.Load(), c.stops.Load(), c.rounds.Load(), c.faults.Load(), c.lost.Load())
}

// rounds returns the rounds of the i-th row of a table whose rows have n rounds each: n times IDEM_TEST_TIMES, or of all
// rows' rounds every tenth under -short.
func rounds(i, n int) []int {
	n *= times()
	var mine []int
	for round := range n {
		if !testing.Short() || (i*n+round)%10 == 0 {
			mine = append(mine, round)
		}
	}
	return mine
}

func times() int {
	n, err := strconv.Atoi(strings.TrimSpace(os.Getenv("IDEM_TEST_TIMES")))
	if err != nil || n < 1 {
		return 1
	}
	return n
}
