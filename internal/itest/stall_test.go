package itest

import (
	"os"
	"sync"
	"time"
)

// stalls is the clock of this test process. A deadline of a second means something on a machine that works; the clock
// tells how long it did not, so that a deadline can be put off by as much and no more.
var stalls stallClock

// beat is how often the clock asks the scheduler and the disk whether they are there.
const beat = 100 * time.Millisecond

// lateness is how late a beat is on a machine that works. On one that is overloaded all are late, by less than a stall each.
const lateness = beat / 20

type stallClock struct {
	mu   sync.Mutex
	last time.Time // the last beat
	late []stall
}

// stall is a time without a beat.
type stall struct {
	end    time.Time
	length time.Duration
}

// start starts the clock. It stops when stop is called.
func (c *stallClock) start() (stop func(), err error) {
	file, err := os.CreateTemp("", "itest-beat-*")
	if err != nil {
		return nil, err
	}
	c.last = time.Now()
	over := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		next := time.NewTicker(beat)
		defer next.Stop()
		for {
			select {
			case <-over:
				return
			case <-next.C:
			}
			_, _ = file.WriteAt([]byte{0}, 0)
			_ = file.Sync() // what it returns does not matter, but when
			c.beat(time.Now())
		}
	})
	return func() {
		close(over)
		running.Wait()
		_ = file.Close()
		_ = os.Remove(file.Name())
	}, nil
}

func (c *stallClock) beat(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if missed := now.Sub(c.last) - beat; missed > lateness {
		c.late = append(c.late, stall{now, missed})
	}
	c.last = now
}

// since returns how much of the time since t the machine stood still.
func (c *stallClock) since(t time.Time) (total time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	all := c.late
	if missing := now.Sub(c.last) - beat; missing > lateness {
		all = append(all[:len(all):len(all)], stall{now, missing})
	}
	for _, s := range all {
		if s.end.After(t) {
			total += min(s.length, s.end.Sub(t))
		}
	}
	return total
}
