package resources

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/internal/itest/proof"
)

func TestAHundredThousandKeysInMemoryLeaveNothingBehind(t *testing.T) {
	inBubble(t, func(t *testing.T, store *memtest.Store) {
		v := newVisitor(t, store)
		soak(t, 8*proof.Times(), 10_000, func(number int) {
			v.round(t, number, 10_000)
			store.Advance(retention)
			v.vanish(t)
		})
	})
}

func TestTenThousandWaitersInMemoryLeaveNothingBehind(t *testing.T) {
	inBubble(t, func(t *testing.T, store *memtest.Store) {
		v := newVisitor(t, store)
		soak(t, proof.Times(), 2_501, func(number int) {
			c := newCrowd(store, fmt.Sprint("round ", number), 10_000)
			require.Equal(t, 2_501, c.calls())
			c.gather(t)
			store.Advance(retention)
			v.vanish(t)
		})
	})
}

// inBubble runs f on the time of a bubble, which stands still while f is at it: a timer that a call leaves behind is in the
// heap at the end of f, and what it does is seen on the day after. A goroutine that stays fails the bubble.
func inBubble(t *testing.T, f func(*testing.T, *memtest.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := new(memtest.Store)
		f(t, store)
		store.StartLog()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.Empty(t, store.Calls(), "somebody still asks the store")
	})
}
