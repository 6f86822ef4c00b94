package memtest

import (
	"math"
	"testing"
	"time"
)

// TestNoInstantIsPastNever: a sum that is too large must not come out as a time in the past, nor as never, which is not
// pruned.
func TestNoInstantIsPastNever(t *testing.T) {
	t.Parallel()
	for _, now := range []instant{-1, 0, 1, never - 2, never - 1} {
		for _, d := range []time.Duration{0, 1, time.Hour, math.MaxInt64 - 1, math.MaxInt64} {
			sum := now.add(d)
			if sum < now || sum >= never {
				t.Errorf("%d and %d make %d", now, d, sum)
			}
		}
	}
	if past := instant(5).add(-3); past != 2 {
		t.Errorf("5 less 3 is %d", past)
	}
}
