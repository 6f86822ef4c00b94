package resources

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long something may take to go that goes by itself.
const patience = 15 * time.Second

func goroutines() int { return runtime.NumGoroutine() }

// eventually waits until there are no more than most.
func eventually(t *testing.T, what string, count func() int, most int) {
	t.Helper()
	// On this goroutine: one more would be counted.
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for late := time.Now().Add(patience); count() > most; <-again.C {
		if time.Now().After(late) {
			all := make([]byte, 1<<20)
			require.FailNow(t, what+" stay", "%d, and there were %d\n%s", count(), most, all[:runtime.Stack(all, true)])
		}
	}
}

// heap is what is in use once everything is collected that can be.
func heap() int64 {
	var least uint64
	for range 5 { // what a collection frees may let go of more: finalizers, pools
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if least == 0 || m.HeapAlloc < least {
			least = m.HeapAlloc
		}
	}
	return int64(least)
}

// perKey is what may remain for a key, less than anything that would be kept for it; and noise is what the heap differs by
// from one moment to the next, whatever the number of keys.
const (
	perKey = 24
	noise  = 32 << 10
)

// soak has rounds made of so many keys each, and requires that those after the first two leave nothing in the heap.
func soak(t *testing.T, rounds, size int, round func(number int)) {
	t.Helper()
	const warm = 2
	if testing.Short() {
		rounds = 1
	}
	var before int64
	for number := range warm + rounds {
		if number == warm {
			before = heap()
		}
		round(number)
	}
	grown := heap() - before
	t.Logf("%d keys, and the heap has grown by %d bytes", rounds*size, grown)
	if !testing.Short() { // so few keys say nothing
		require.Less(t, grown, int64(rounds*size*perKey+noise))
	}
}
