package histories

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/idem-go/idem/internal/itest/proof"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400)   // histories are many and small
	redis.SetLogger(silent{}) // refused connections are what is asked for
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		tally.prove()
		proof.Print(os.Stdout)
		os.Exit(status)
	}))
}

// silent says nothing.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// firstSeed is the seed of the first history of each test; the next has the next. IDEM_TEST_SEED names it.
var firstSeed, seeded = seed()

func seed() (first uint64, named bool) {
	if n, err := strconv.ParseUint(strings.TrimSpace(os.Getenv("IDEM_TEST_SEED")), 10, 64); err == nil {
		return n, true
	}
	return rand.Uint64() >> 16, false // there is room for the next ones
}

// rounds is n times IDEM_TEST_TIMES, or a tenth of that under -short.
func rounds(n int) int {
	n *= proof.Times()
	if testing.Short() {
		return max(1, n/10)
	}
	return n
}
