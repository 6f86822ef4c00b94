package together

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// ask is what a caller of a test asks, and what came of it.
type ask struct {
	n     int
	owned bool
	known bool
	err   error
}

// place carries out what a line's callers ask, when and as a test says.
type place struct {
	mu     sync.Mutex
	done   [][]int           // what was carried out together
	limits []time.Duration   // how long the batches might have taken
	holds  chan struct{}     // what is carried out waits for an element
	fails  func(n int) bool  // a batch of so many is not
	errs   map[int]error     // of what is asked
	ends   func(batch []int) // called before a batch is carried out
}

func (p *place) alone(ctx context.Context, a *ask) error {
	p.note([]int{a.n})
	select {
	case <-p.holds:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return p.errs[a.n]
}

func (p *place) many(ctx context.Context, all []*ask) {
	var ns []int
	for _, a := range all {
		ns = append(ns, a.n)
	}
	p.note(ns)
	p.mu.Lock()
	deadline, _ := ctx.Deadline()
	p.limits = append(p.limits, time.Until(deadline))
	p.mu.Unlock()
	select {
	case <-p.holds:
	case <-ctx.Done():
		return
	}
	if p.ends != nil {
		p.ends(ns)
	}
	for _, a := range all {
		if !p.fails(len(all)) {
			a.known, a.err = true, p.errs[a.n]
			if !a.owned {
				a.err = errors.New("its caller may still change it")
			}
		}
	}
}

func (p *place) note(ns []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, ns)
}

func (p *place) all() [][]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.done)
}

// crowd are the callers of one line.
type crowd struct {
	t *testing.T
	*place
	line     Line[*ask]
	outcomes map[int]chan error
	behind   map[int]<-chan struct{}
}

const flushes = 2

// inCrowd runs a test whose place holds everything until it is told to go on.
func inCrowd(t *testing.T, test func(c *crowd)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &place{holds: make(chan struct{}), fails: func(int) bool { return false }, errs: map[int]error{}}
		c := &crowd{t: t, place: p, outcomes: map[int]chan error{}, behind: map[int]<-chan struct{}{}}
		c.line = Line[*ask]{
			Alone: p.alone, Many: p.many, Flushes: flushes,
			Known: func(a *ask) (bool, error) { return a.known, a.err },
			Own:   func(a *ask) { a.owned = true },
		}
		test(c)
	})
}

// call has a caller ask for n, and returns once that is under way or queued.
func (c *crowd) call(ctx context.Context, n int) {
	c.outcomes[n] = make(chan error, 1)
	go func() {
		behind, err := c.line.Do(ctx, &ask{n: n})
		c.mu.Lock()
		c.behind[n] = behind
		c.mu.Unlock()
		c.outcomes[n] <- err
	}()
	synctest.Wait()
}

func (c *crowd) calls(from, to int) {
	for n := from; n <= to; n++ {
		c.call(c.t.Context(), n)
	}
}

// goOn lets one flush be carried out.
func (c *crowd) goOn() {
	c.holds <- struct{}{}
	synctest.Wait()
}

func (c *crowd) goOnWithAll() {
	close(c.holds)
	synctest.Wait()
}

// outcome is that of the call for n, which must be over.
func (c *crowd) outcome(n int) error {
	c.t.Helper()
	select {
	case err := <-c.outcomes[n]:
		return err
	default:
		c.t.Fatalf("call %d is not over", n)
		return nil
	}
}

func (c *crowd) waits(n int) {
	c.t.Helper()
	require.Empty(c.t, c.outcomes[n], "call %d is over", n)
}

func (c *crowd) succeed(from, to int) {
	c.t.Helper()
	for n := from; n <= to; n++ {
		require.NoError(c.t, c.outcome(n), "%d", n)
	}
}

// were checks what was carried out together, and that all of it is over.
func (c *crowd) were(want ...[]int) {
	c.t.Helper()
	require.Equal(c.t, want, c.all())
	c.idle()
}

// idle checks that nothing is under way or left behind.
func (c *crowd) idle() {
	c.t.Helper()
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	require.Zero(c.t, c.line.under)
	require.Empty(c.t, c.line.queue)
}

// left reports whether the caller for n left it behind, and whether it is over by now.
func (c *crowd) left(n int) (left, over bool) {
	c.mu.Lock()
	behind := c.behind[n]
	c.mu.Unlock()
	select {
	case <-behind:
		return true, true
	default:
		return behind != nil, false
	}
}

func TestCallsBehindThoseUnderWayGoTogether(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		c.calls(1, 5)
		c.goOn()
		c.goOn()
		c.goOn()
		c.succeed(1, 5)
		c.calls(6, 6)
		c.goOn()
		c.succeed(6, 6)
		c.were([]int{1}, []int{2}, []int{3, 4, 5}, []int{6})
	})
}

// inRealCrowd is inCrowd for a line that knows how many callers there are.
func inRealCrowd(t *testing.T, few, flushes, beside int, test func(c *crowd)) {
	t.Helper()
	inCrowd(t, func(c *crowd) {
		c.line.Crowd, c.line.Flushes, c.line.Beside = &Crowd{Few: few}, flushes, beside
		test(c)
	})
}

func TestAFewCallersGoAlone(t *testing.T) {
	t.Parallel()
	inRealCrowd(t, 3, 1, 0, func(c *crowd) {
		c.calls(1, 3)
		c.goOn()
		c.calls(4, 4) // in the place of the first
		require.Equal(t, [][]int{{1}, {2}, {3}, {4}}, c.all())
		c.goOnWithAll()
		c.succeed(1, 4)
		c.calls(5, 7)
		c.succeed(5, 7)
		require.Len(t, c.all(), 7)
		c.idle()
	})
}

func TestMoreThanAFewCallersGoTogether(t *testing.T) {
	t.Parallel()
	inRealCrowd(t, 3, 1, 0, func(c *crowd) {
		c.calls(1, 6)
		require.Len(t, c.all(), 3)
		c.goOn()
		c.calls(7, 7) // while fewer than a few are under way, but not of callers
		c.goOn()
		c.calls(8, 8)
		c.goOnWithAll()
		c.succeed(1, 8)
		c.were([]int{1}, []int{2}, []int{3}, []int{4, 5, 6}, []int{7, 8})
	})
}

func TestTheCallersOfAllLinesMakeTheCrowd(t *testing.T) {
	t.Parallel()
	inRealCrowd(t, 2, 1, 0, func(c *crowd) {
		require.True(t, c.line.Crowd.enter())
		require.True(t, c.line.Crowd.enter())
		c.calls(1, 1)
		c.calls(2, 3)
		c.goOn()
		c.line.Crowd.leave()
		c.line.Crowd.leave()
		c.goOnWithAll()
		c.succeed(1, 3)
		c.were([]int{1}, []int{2, 3})
		require.Zero(t, c.line.Crowd.callers.Load())
	})
}

func TestAnotherFlushBeginsForSeveralOnly(t *testing.T) {
	t.Parallel()
	inRealCrowd(t, 1, 3, 3, func(c *crowd) {
		c.calls(1, 1)
		c.calls(2, 4) // the second alone in its batch
		require.Equal(t, [][]int{{1}, {2}}, c.all())
		c.calls(5, 5)
		require.Equal(t, [][]int{{1}, {2}, {3, 4, 5}}, c.all())
		c.calls(6, 9)
		require.Len(t, c.all(), 3, "no more are under way than three")
		c.goOnWithAll()
		c.succeed(1, 9)
		c.were([]int{1}, []int{2}, []int{3, 4, 5}, []int{6, 7, 8, 9})
	})
}

func TestALoneCallerOwnsWhatItAsks(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		close(c.holds)
		a := &ask{n: 1}
		_, err := c.line.Do(c.t.Context(), a)
		require.NoError(c.t, err)
		require.False(c.t, a.owned, "nothing is copied where nobody waits")
		c.were([]int{1})
	})
}

func TestALineHasABound(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		c.calls(1, flushes+waiting)
		c.calls(5000, 5000) // which finds no room to wait in
		require.Equal(t, [][]int{{1}, {2}, {5000}}, c.all())
		c.goOnWithAll()
		c.succeed(1, flushes+waiting)
		c.succeed(5000, 5000)
		for _, batch := range c.all()[flushes+1:] {
			require.Len(t, batch, most)
		}
		require.Len(t, c.all(), flushes+1+waiting/most)
		c.idle()
	})
}

func TestACallThatEndsInTheQueueIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(c.t.Context())
		short, stop := context.WithTimeout(c.t.Context(), time.Millisecond)
		defer stop()
		c.calls(1, 2)
		c.call(ctx, 3)
		c.call(short, 4)
		c.calls(5, 6)
		cancel(why)
		synctest.Wait()
		require.ErrorIs(t, c.outcome(3), why)
		time.Sleep(time.Millisecond) // of the bubble
		synctest.Wait()
		require.ErrorIs(t, c.outcome(4), context.DeadlineExceeded)
		c.waits(5)
		left, _ := c.left(3)
		require.False(t, left)
		c.goOnWithAll()
		c.succeed(5, 6)
		c.were([]int{1}, []int{2}, []int{5, 6})
	})
}

func TestWhoLeavesABatchLeavesItToTheOthers(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{false, true} {
		t.Run(map[bool]string{false: "at once", true: "at its deadline"}[stays], func(t *testing.T) {
			t.Parallel()
			inCrowd(t, func(c *crowd) {
				c.line.Stays = stays
				short, stop := context.WithTimeout(c.t.Context(), time.Second)
				defer stop()
				cancelled, cancel := context.WithCancel(c.t.Context())
				longer, stop := context.WithTimeout(c.t.Context(), 4*time.Second)
				defer stop()
				c.calls(1, 2)
				c.call(short, 3)
				c.call(longer, 4)
				c.goOn()
				c.call(short, 5)
				c.call(cancelled, 6)
				c.calls(7, 7)
				c.goOn()
				cancel()
				synctest.Wait()
				if stays {
					c.waits(6)
				} else {
					require.ErrorIs(t, c.outcome(6), context.Canceled)
					left, over := c.left(6)
					require.True(t, left && !over)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				require.ErrorIs(t, c.outcome(3), context.DeadlineExceeded)
				require.ErrorIs(t, c.outcome(5), context.DeadlineExceeded)
				c.waits(4)
				c.goOnWithAll()
				c.succeed(4, 4)
				c.succeed(7, 7)
				if stays {
					c.succeed(6, 6)
				} else {
					_, over := c.left(6)
					require.True(t, over)
				}
				c.were([]int{1}, []int{2}, []int{3, 4}, []int{5, 6, 7})
				require.Equal(t, []time.Duration{slowest, slowest}, c.limits, "whatever its callers' deadlines are")
			})
		})
	}
}

// A caller that is alone in a batch is carried out under its own context.
func TestABatchOfOneEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		ctx, cancel := context.WithCancel(c.t.Context())
		c.calls(1, 2)
		c.call(ctx, 3)
		c.goOn()
		cancel()
		synctest.Wait()
		require.ErrorIs(t, c.outcome(3), context.Canceled)
		left, over := c.left(3)
		require.True(t, !left || over)
		c.goOn()
		c.were([]int{1}, []int{2}, []int{3})
	})
}

// Who waits behind a flush that does not return goes its own way.
func TestNobodyWaitsLongInTheQueue(t *testing.T) {
	t.Parallel()
	for name, patience := range map[string]time.Duration{"where patience ends": time.Second, "where it does not": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCrowd(t, func(c *crowd) {
				c.line.Patience = patience
				c.calls(1, 4)
				time.Sleep(time.Second - 1)
				synctest.Wait()
				require.Len(t, c.all(), flushes)
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				alone := [][]int{{3}, {4}}
				if patience == 0 {
					alone = nil
				}
				require.ElementsMatch(t, alone, c.all()[flushes:])
				c.goOnWithAll()
				c.succeed(1, 4)
				c.idle()
			})
		})
	}
}

func TestWhatABatchLeavesOpenEachCarriesOutAlone(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		poisoned := errors.New("poisoned")
		c.fails = func(n int) bool { return n > 1 }
		c.errs[4] = poisoned
		c.calls(1, 5)
		c.goOnWithAll()
		c.succeed(3, 3)
		require.ErrorIs(t, c.outcome(4), poisoned)
		c.succeed(5, 5)
		require.Equal(t, []int{3, 4, 5}, c.all()[2])
		require.ElementsMatch(t, [][]int{{3}, {4}, {5}}, c.all()[3:])
		c.idle()
	})
}

func TestAnErrorInABatchIsItsOwnCallsAlone(t *testing.T) {
	t.Parallel()
	inCrowd(t, func(c *crowd) {
		c.errs[4] = errors.New("refused")
		c.calls(1, 5)
		c.goOnWithAll()
		c.succeed(3, 3)
		require.EqualError(t, c.outcome(4), "refused")
		c.succeed(5, 5)
		c.were([]int{1}, []int{2}, []int{3, 4, 5})
	})
}

// What is called to carry a batch out, and panics or ends its goroutine, takes nobody with it, and the line goes on.
func TestABatchThatPanicsLeavesItsCallersTheirAnswers(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func([]int){
		"by a panic": func([]int) { panic("a hook") },
		"by Goexit":  func([]int) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCrowd(t, func(c *crowd) {
				c.ends = end
				c.calls(1, 5)
				c.goOn()
				c.calls(6, 7)
				c.goOnWithAll()
				c.succeed(3, 7)
				c.idle()
			})
		})
	}
}
