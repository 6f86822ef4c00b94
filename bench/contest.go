package main

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// contestant is one way to do the same thing. op does it once; calls may overlap.
type contestant struct {
	name string
	op   func(context.Context) error

	// trips, which may be nil, counts the round trips that op's connections have made so far.
	trips func() int64
}

// contest is a group of ways that are measured against the first of them, in turns, so that whatever the machine does
// meanwhile happens to all.
type contest struct {
	name        string
	contestants []contestant

	// counts, which may be nil, reads counters of the server's that only this program moves.
	counts func(context.Context) (map[string]float64, error)

	// shares says that callers who come together share something, so that what is counted depends on how many they are.
	shares bool
}

// figure is what was measured of one contestant with one number of callers.
type figure struct {
	perOp  time.Duration // the median
	ratio  float64       // over the first contestant, the median of the blocks' ratios
	lowest float64       // the first quartile of those
	most   float64       // the third
	slow   time.Duration // of a hundred calls one takes longer
	exact  exact         // of a contest that shares
}

// exact is what can be counted instead of timed, per call.
type exact struct {
	trips, allocs float64
	counts        map[string]float64
}

// alone times single calls, one contestant after another: A B C C B A A B C …
func (c *contest) alone(ctx context.Context, budget time.Duration) ([]figure, error) {
	const blocks = 12
	n := len(c.contestants)
	medians, all := make([][]float64, n), make([][]float64, n)
	for range blocks {
		times := make([][]float64, n)
		for over, turn := time.Now().Add(budget/blocks), 0; time.Now().Before(over) || turn < 4; turn++ {
			for i := range n {
				which := i
				if turn%2 == 1 {
					which = n - 1 - i
				}
				start := time.Now()
				if err := c.contestants[which].op(ctx); err != nil {
					return nil, c.failed(which, err)
				}
				times[which] = append(times[which], float64(time.Since(start)))
			}
		}
		for i := range n {
			medians[i] = append(medians[i], quantile(times[i], 0.5))
			all[i] = append(all[i], times[i]...)
		}
	}
	return figures(medians, all), nil
}

// together has so many callers call as fast as they can, in windows, one contestant after another.
func (c *contest) together(ctx context.Context, callers int, budget time.Duration) ([]figure, error) {
	n := len(c.contestants)
	each, all := make([][]float64, n), make([][]float64, n)
	for turn := range max(6, int(budget/window)/n) {
		for i := range n {
			which := i
			if turn%2 == 1 {
				which = n - 1 - i
			}
			perOp, times, err := crowd(ctx, callers, window, c.contestants[which].op)
			if err != nil {
				return nil, c.failed(which, err)
			}
			each[which] = append(each[which], perOp)
			all[which] = append(all[which], times...)
		}
	}
	return figures(each, all), nil
}

// window is how long callers call in a turn.
const window = 40 * time.Millisecond

// crowd returns the nanoseconds per call of so many callers in one window, and what each call took its caller.
func crowd(ctx context.Context, callers int, window time.Duration, op func(context.Context) error) (perOp float64, times []float64, err error) {
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	each := make([][]float64, callers)
	start := time.Now()
	for caller := range callers {
		group.Go(func() {
			for begun := start; begun.Sub(start) < window && failed.Load() == nil; {
				if err := op(ctx); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				ended := time.Now()
				each[caller] = append(each[caller], float64(ended.Sub(begun)))
				begun = ended
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	if err := failed.Load(); err != nil {
		return 0, nil, *err
	}
	times = slices.Concat(each...)
	return float64(took) / float64(max(1, len(times))), times, nil
}

// count counts over some calls of each contestant, which must have run before.
func (c *contest) count(ctx context.Context) ([]exact, error) {
	const calls = 64
	all := make([]exact, len(c.contestants))
	for i, who := range c.contestants {
		var before, after runtime.MemStats
		begin, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		trips := tripsOf(who)
		runtime.ReadMemStats(&before)
		for range calls {
			if err := who.op(ctx); err != nil {
				return nil, c.failed(i, err)
			}
		}
		runtime.ReadMemStats(&after)
		all[i] = exact{trips: float64(tripsOf(who)-trips) / calls, allocs: float64(after.Mallocs-before.Mallocs) / calls}
		end, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		all[i].counts = map[string]float64{}
		for name := range end {
			all[i].counts[name] = (end[name] - begin[name]) / calls
		}
	}
	return all, nil
}

// countTogether counts over the calls of so many callers, in one window of each contestant, and leaves that in figures.
func (c *contest) countTogether(ctx context.Context, callers int, figures []figure) error {
	for i, who := range c.contestants {
		begin, err := c.read(ctx)
		if err != nil {
			return err
		}
		trips := tripsOf(who)
		_, times, err := crowd(ctx, callers, 4*window, who.op)
		if err != nil {
			return c.failed(i, err)
		}
		calls := float64(max(1, len(times)))
		trips = tripsOf(who) - trips
		end, err := c.read(ctx)
		if err != nil {
			return err
		}
		figures[i].exact = exact{trips: float64(trips) / calls, counts: map[string]float64{}}
		for name := range end {
			figures[i].exact.counts[name] = (end[name] - begin[name]) / calls
		}
	}
	return nil
}

func (c *contest) read(ctx context.Context) (map[string]float64, error) {
	if c.counts == nil {
		return nil, nil
	}
	return c.counts(ctx)
}

func tripsOf(c contestant) int64 {
	if c.trips == nil {
		return 0
	}
	return c.trips()
}

func (c *contest) failed(which int, err error) error {
	return &failure{contest: c.name, contestant: c.contestants[which].name, err: err}
}

// failure is a call that did not do what it is measured for.
type failure struct {
	contest, contestant string
	err                 error
}

func (f *failure) Error() string { return f.contest + ", " + f.contestant + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// figures makes figures of the blocks of all contestants, and of what every call took.
func figures(blocks, times [][]float64) []figure {
	all := make([]figure, len(blocks))
	for i, mine := range blocks {
		ratios := make([]float64, len(mine))
		for b := range mine {
			ratios[b] = mine[b] / blocks[0][b]
		}
		all[i] = figure{
			perOp:  time.Duration(quantile(mine, 0.5)),
			ratio:  quantile(ratios, 0.5),
			lowest: quantile(ratios, 0.25),
			most:   quantile(ratios, 0.75),
			slow:   time.Duration(quantile(times[i], 0.99)),
		}
	}
	return all
}

// quantile returns the value below which the part q of all lies.
func quantile(all []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
