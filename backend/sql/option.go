package sqlbackend

import (
	"database/sql"
	"fmt"
	"time"
)

// OpenOption configures the Open of a driver package. Every Option and every MigrateOption is one. A wrong one makes Open
// fail with an error that names it, before anything is opened.
type OpenOption interface{ open(*Opening) error }

// Option configures a Store, in New. A wrong one makes New fail with an error that names it.
type Option interface {
	OpenOption
	configure(*config) error
}

// MigrateOption configures Migrate. A wrong one makes it fail with an error that names it.
type MigrateOption interface {
	OpenOption
	plan(*plan) error
}

// TableOption goes into New and into Migrate, and must be the same in both.
type TableOption interface {
	Option
	MigrateOption
}

// config is what a Store goes by. It does not change after New.
type config struct {
	table    table
	readable bool
	step     int
	pause    time.Duration
	group    bool // calls share statements

	listener   *Listener // nil: nobody is told of anything
	unprepared bool      // PostgreSQL's: nothing is prepared on the pool

	isolation sql.IsolationLevel // of the transactions that InTx begins; the zero value is the dialect's

	untestedMySQL bool
}

func newConfig(d Dialect) config {
	c := config{table: table{name: defaultTable}, readable: true}
	d.defaults(&c)
	return c
}

type storeOption func(*config) error

func (o storeOption) configure(c *config) error { return o(c) }
func (o storeOption) open(p *Opening) error     { return o(&p.config) }

type migrateOption func(*plan) error

func (o migrateOption) plan(p *plan) error    { return o(p) }
func (o migrateOption) open(p *Opening) error { return o(&p.plan) }

type tableOption string

func (o tableOption) configure(c *config) error { return o.set(&c.table) }
func (o tableOption) plan(p *plan) error        { return o.set(&p.table) }

func (o tableOption) open(p *Opening) error {
	if err := o.plan(&p.plan); err != nil {
		return err
	}
	return o.configure(&p.config)
}

func (o tableOption) set(t *table) (err error) {
	if *t, err = parseTable(string(o)); err != nil {
		return fmt.Errorf("sqlbackend: option Table: %w", err)
	}
	return nil
}

// Table names the table of records: "NAME" or "SCHEMA.NAME", of letters, digits and underscores. The default is
// idem_records. Two stores on two tables of one database share nothing.
func Table(name string) TableOption { return tableOption(name) }

// WithoutReadable leaves guard, user and key out of the table: a record is then known by its hash alone. ForgetUser,
// and List by guard or user, answer backend.ErrUnsupported, and a foreign key to users is never asked.
func WithoutReadable() Option {
	return storeOption(func(c *config) error {
		c.readable = false
		return nil
	})
}

// PruneStep is how many rows one step of Prune looks at, and so the most that it holds up others for. The default is
// 200 on SQLite and 1,000 elsewhere. It must be between 1 and 100,000.
func PruneStep(rows int) Option {
	return storeOption(func(c *config) error {
		if rows < 1 || rows > 100_000 {
			return fmt.Errorf("sqlbackend: option PruneStep: %d rows are not between 1 and 100000", rows)
		}
		c.step = rows
		return nil
	})
}

// PrunePause is how long Prune rests after a step. The default is 1 ms. It must be between 0 and 1 minute.
func PrunePause(d time.Duration) Option {
	return storeOption(func(c *config) error {
		if d < 0 || d > time.Minute {
			return fmt.Errorf("sqlbackend: option PrunePause: %v is not between 0 and 1m", d)
		}
		c.pause = d
		return nil
	})
}

// TxIsolation raises the isolation of the transactions that InTx begins, which is READ COMMITTED, to RepeatableRead or
// Serializable. Losers of a race then come back with backend.ErrConflict more often, which idem.DoTx runs again. SQLite's
// transactions are serializable whatever this says.
func TxIsolation(level sql.IsolationLevel) Option {
	return storeOption(func(c *config) error {
		switch level {
		case sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
			c.isolation = level
			return nil
		}
		return fmt.Errorf("sqlbackend: option TxIsolation: %v is not Read Committed, Repeatable Read or Serializable", level)
	})
}

// UsersKey has Migrate create the table with a foreign key from the readable user to a column of the application's
// table of users, which must be its primary key or unique: deleting a user then deletes his records, also the claim
// of an attempt that still runs, and a claim for a user who is not there is refused with backend.ErrUnknownUser.
//
// It works on text that equals the user of the calls byte for byte. It must be given when the table is created, since
// Migrate adds no constraint to a table that is there. The table of users must be there before, on SQLite only before
// the first claim. Each claim shares a lock on the user's row until it is committed.
// On SQLite every connection needs PRAGMA foreign_keys=ON. On SQLite and PostgreSQL deleting a user reads the whole
// table of records unless the application adds an index on user_name. MariaDB and MySQL add one, and the column must be a
// VARCHAR of the character set utf8mb4 and the collation utf8mb4_nopad_bin, on MySQL utf8mb4_0900_bin, so that it tells
// apart what idem does.
func UsersKey(table, column string) MigrateOption {
	return migrateOption(func(p *plan) error {
		for _, name := range []string{table, column} {
			if !identifier.MatchString(name) {
				return fmt.Errorf("sqlbackend: option UsersKey: %q is not a name: a letter or _ and then letters, digits and _, at most 63", name)
			}
		}
		p.users = &usersKey{table: table, column: column}
		return nil
	})
}
