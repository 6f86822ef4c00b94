package histories

import (
	"math/rand/v2"
	"testing/synctest"
)

// scheduler lets one goroutine run at a time, inside a synctest bubble, and chooses by its seed whose turn is next. Who
// has the turn has it until he pauses or ends.
type scheduler struct {
	rand    *rand.Rand
	waiting []turn
}

// turn is closed when it is somebody's.
type turn chan struct{}

func newScheduler(seed uint64) *scheduler {
	return &scheduler{rand: rand.New(rand.NewPCG(seed, 1))}
}

// spawn adds a goroutine, which waits for its turn.
func (s *scheduler) spawn(f func()) {
	mine := make(turn)
	s.waiting = append(s.waiting, mine)
	go func() {
		<-mine
		f()
	}()
}

// pause lets others come first. Who has the turn calls it.
func (s *scheduler) pause() {
	mine := make(turn)
	s.waiting = append(s.waiting, mine)
	<-mine
}

// run gives turns until nobody waits for one.
func (s *scheduler) run() {
	for len(s.waiting) > 0 {
		last := len(s.waiting) - 1
		chosen := s.rand.IntN(last + 1)
		next := s.waiting[chosen]
		s.waiting[chosen] = s.waiting[last]
		s.waiting = s.waiting[:last]
		close(next)
		synctest.Wait()
	}
}
