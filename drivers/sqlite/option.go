package sqlite

import (
	"fmt"
	"strings"
	"time"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// settings are what this package's own options set.
type settings struct {
	synchronous string
	busyTimeout time.Duration
}

func newSettings() *settings { return &settings{synchronous: "FULL", busyTimeout: 3 * time.Second} }

func (s *settings) setSynchronous(mode string) error {
	switch m := strings.ToUpper(mode); m {
	case "NORMAL", "FULL", "EXTRA":
		s.synchronous = m
		return nil
	}
	return fmt.Errorf("%q is not full, normal or extra", mode)
}

func (s *settings) setBusyTimeout(d time.Duration) error {
	if d < time.Millisecond || d > 10*time.Minute {
		return fmt.Errorf("%v is not between 1ms and 10m", d)
	}
	s.busyTimeout = d
	return nil
}

// Synchronous is an option of Open that says when SQLite waits for the disk: "full", the default, at every commit, as
// records that stand for money need it; "normal" only at checkpoints, which is some times faster and never destroys the
// file, but after a power cut the last claims and answers may be gone, so that what they stand for can run again;
// "extra" even more often than "full". Off is not offered.
func Synchronous(mode string) sqlbackend.OpenOption {
	return sqlbackend.DriverOption("Synchronous", func(s *settings) error { return s.setSynchronous(mode) })
}

// BusyTimeout is an option of Open: how long a statement waits for a writer of another process, or of another pool. The
// default is 3 s. It must be between 1 ms and 10 min.
func BusyTimeout(d time.Duration) sqlbackend.OpenOption {
	return sqlbackend.DriverOption("BusyTimeout", func(s *settings) error { return s.setBusyTimeout(d) })
}
