package failover

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/idem-go/idem/internal/itest/proof"
)

// childEnv in the environment makes the test binary a caller.
const childEnv = "IDEM_FAILOVER_CALLER"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := runCaller(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "caller:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		proof.Print(os.Stdout)
		os.Exit(status)
	}))
}

// masters are those that were killed.
var masters = proof.Of("Redis masters killed")
