package itest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/idem-go/idem/internal/itest/proof"
	"github.com/idem-go/idem/internal/itest/proxy"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(clocked{m}, goleak.Cleanup(func(status int) {
		proof.Print(os.Stdout)
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

// tally counts what was done to processes and to the network.
var tally = counts{
	kills:    proof.Of("kills at a named point"),
	ambushes: proof.Of("kills at a random time"),
	cut:      proof.Of("calls that a kill cut off"),
	stops:    proof.Of("stops past a lease"),
	rounds:   proof.Of("rounds of many callers with one key"),
	faults:   proof.Of("faults of the network"),
	lost:     proof.Of("acknowledgements lost after the fact"),
}

type counts struct {
	kills, ambushes, cut, stops, rounds *proof.Count

	faults *proof.Count
	lost   *proof.Count // answers of a server that a fault swallowed after it had carried out what was asked
}

// network counts a fault of the network.
func (c *counts) network(f proxy.Fault) {
	c.faults.Add(1)
	if f.At == proxy.Answered {
		c.lost.Add(1)
	}
}

// rounds returns the rounds of the i-th row of a table whose rows have n rounds each: n times IDEM_TEST_TIMES, or of all
// rows' rounds every tenth under -short.
func rounds(i, n int) []int {
	n *= proof.Times()
	var mine []int
	for round := range n {
		if !testing.Short() || (i*n+round)%10 == 0 {
			mine = append(mine, round)
		}
	}
	return mine
}
