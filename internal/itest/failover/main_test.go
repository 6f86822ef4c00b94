package failover

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
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
	goleak.VerifyTestMain(m)
}
