//go:build !race

package canon

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The race detector empties pools on purpose, so ./test runs this once more without it.
func TestJSONAllocatesNothingWhereThereIsRoom(t *testing.T) {
	src := order(1 << 10)
	dst := make([]byte, 0, len(src))
	require.Zero(t, testing.AllocsPerRun(200, func() { _, _ = JSON(dst, src) }))
}
