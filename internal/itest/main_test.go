package itest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/idem-go/idem/internal/itest/proof"
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

// each is how many rounds each of so many rows needs for n of them in all.
func each(n, rows int) int { return (n + rows - 1) / rows }
