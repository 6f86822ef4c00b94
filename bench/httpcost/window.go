package httpcost

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// result is what one call costs.
type result struct{ nanoseconds, allocations, bytes float64 }

func (r result) minus(other result) result {
	return result{r.nanoseconds - other.nanoseconds, r.allocations - other.allocations, r.bytes - other.bytes}
}

// measure lets the subjects take turns, forth and back, and returns the median of each.
func measure(subjects []subject, callers, windows int, length time.Duration) map[string]result {
	samples := map[string][]result{}
	for n := range windows {
		turn := slices.Clone(subjects)
		if n%2 == 1 {
			slices.Reverse(turn)
		}
		for _, s := range turn {
			samples[s.name] = append(samples[s.name], window(s, callers, length))
		}
	}
	results := map[string]result{}
	for name, of := range samples {
		results[name] = result{
			median(of, func(r result) float64 { return r.nanoseconds }),
			median(of, func(r result) float64 { return r.allocations }),
			median(of, func(r result) float64 { return r.bytes }),
		}
	}
	return results
}

func median(of []result, what func(result) float64) float64 {
	values := make([]float64, 0, len(of))
	for _, r := range of {
		values = append(values, what(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// processorTime is what this process has used, so that what else runs on the machine counts less.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// window calls a fresh subject for a while, from so many goroutines at once.
func window(s subject, callers int, length time.Duration) result {
	start := s.fresh()
	calls := make([]func(), callers)
	for i := range calls {
		calls[i] = start(i)
		calls[i]()
	}
	runtime.GC()
	var before, after runtime.MemStats
	var done atomic.Int64
	var group sync.WaitGroup
	runtime.ReadMemStats(&before)
	began, used := time.Now(), processorTime()
	for _, call := range calls {
		group.Go(func() {
			n := int64(0)
			for time.Since(began) < length {
				for range 16 {
					call()
				}
				n += 16
			}
			done.Add(n)
		})
	}
	group.Wait()
	took := processorTime() - used
	runtime.ReadMemStats(&after)
	n := float64(done.Load())
	return result{
		float64(took) / n, float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n,
	}
}
