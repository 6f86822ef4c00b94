package resources

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/idem-go/idem/internal/itest/proof"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		proof.Print(os.Stdout)
		os.Exit(status)
	}))
}

var (
	keys    = proof.Of("keys that left nothing behind")
	waiters = proof.Of("waiters that left nothing behind")
)
