package sqlite

import (
	"fmt"
	"strings"
	"time"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// Option configures Open. A wrong one makes Open fail with an error that names it.
type Option interface{ apply(*config) error }

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

type config struct {
	synchronous string
	busyTimeout time.Duration
	conns       int
	store       []sqlbackend.Option
	migrate     []sqlbackend.MigrateOption
}

// Synchronous says when SQLite waits for the disk: "full", the default, at every commit, as records that stand for
// money need it; "normal" only at checkpoints, which is some times faster and never destroys the file, but after a power
// cut the last claims and answers may be gone, so that what they stand for can run again; "extra" even more often than
// "full". Off is not offered.
func Synchronous(mode string) Option {
	return option(func(c *config) error {
		switch m := strings.ToUpper(mode); m {
		case "NORMAL", "FULL", "EXTRA":
			c.synchronous = m
			return nil
		}
		return fmt.Errorf("sqlite: option Synchronous: %q is not full, normal or extra", mode)
	})
}

// BusyTimeout is how long a statement waits for a writer of another process, or of another pool. The default is 3 s. It
// must be between 1 ms and 10 min.
func BusyTimeout(d time.Duration) Option {
	return option(func(c *config) error {
		if d < time.Millisecond || d > 10*time.Minute {
			return fmt.Errorf("sqlite: option BusyTimeout: %v is not between 1ms and 10m", d)
		}
		c.busyTimeout = d
		return nil
	})
}

// Conns is the most connections that the pool opens. The default is 8. With one, everything waits for a transaction
// that is open.
func Conns(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > 1000 {
			return fmt.Errorf("sqlite: option Conns: %d is not between 1 and 1000", n)
		}
		c.conns = n
		return nil
	})
}

// Table names the table of records, as sqlbackend.Table does.
func Table(name string) Option {
	return option(func(c *config) error {
		c.store = append(c.store, sqlbackend.Table(name))
		c.migrate = append(c.migrate, sqlbackend.Table(name))
		return nil
	})
}

// UsersKey has the table created with a foreign key to the application's users, as sqlbackend.UsersKey says. That table
// may be created later, but before the first claim.
func UsersKey(table, column string) Option {
	return option(func(c *config) error {
		c.migrate = append(c.migrate, sqlbackend.UsersKey(table, column))
		return nil
	})
}

// With passes options on to sqlbackend.New. For the table's name there is Table.
func With(opts ...sqlbackend.Option) Option {
	return option(func(c *config) error {
		c.store = append(c.store, opts...)
		return nil
	})
}
