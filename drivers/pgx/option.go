package pgx

import (
	"fmt"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// Option configures Open. A wrong one makes Open fail with an error that names it.
type Option interface{ apply(*config) error }

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

type config struct {
	conns   int
	byHand  bool
	store   []sqlbackend.Option
	migrate []sqlbackend.MigrateOption
}

// Conns is the most connections that the pool opens. The default is 10. A transaction of idem.DoTx holds one while its
// function runs.
func Conns(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > 10_000 {
			return fmt.Errorf("pgx: option Conns: %d is not between 1 and 10000", n)
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
// must be there before.
func UsersKey(table, column string) Option {
	return option(func(c *config) error {
		c.migrate = append(c.migrate, sqlbackend.UsersKey(table, column))
		return nil
	})
}

// WithoutMigrate has Open leave the schema alone, and fail where it is not up to date: for an application whose user may
// not change it, or who reaches the server through a pooler, which is no way for a migration.
func WithoutMigrate() Option {
	return option(func(c *config) error {
		c.byHand = true
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
