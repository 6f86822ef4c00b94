package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Driver describes a driver package, one that opens the database and the store in it at once, as those under drivers/
// do. It is for whoever writes such a package.
type Driver struct {
	// Name begins the errors.
	Name string

	// Dialect is that of every store.
	Dialect Dialect

	// Conns is how large the pool is unless the option Conns says otherwise.
	Conns int

	// Settings points at what the package's own options set, which [DriverOption] makes. It is nil where there are none.
	Settings any

	// Parameters are what the query of a URL may say of the package's own options, by name, beside what it may say to every
	// driver.
	Parameters map[string]Parameter
}

// Opening is an Open of a driver package, with its options checked and nothing opened yet.
type Opening struct {
	driver Driver
	conns  int
	byHand bool // the schema is somebody else's affair
	config config
	plan   plan
}

// Prepare reads the options: those in the query of address, and then opts, which rule where both say something. address
// is a URL, or anything else, which has none; rest is address without idem's parameters, for the driver. These are
//
//	table     the table of records, as Table
//	readable  false leaves guard, user and key out, as WithoutReadable
//	migrate   false leaves the schema alone, as WithoutMigrate
//	conns     the most connections, as Conns
//	group     true has calls share statements, as GroupCommit
//
//	untested_mysql  true goes on with MySQL itself, as UntestedMySQL
//
// and those of d. An error names the option or parameter that is wrong, and does not repeat address.
func (d Driver) Prepare(address string, opts []OpenOption) (o *Opening, rest string, err error) {
	rest, given, err := d.takeParameters(address)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", d.Name, err)
	}
	o = &Opening{driver: d, conns: d.Conns, config: newConfig(d.Dialect), plan: newPlan()}
	if err := o.apply(given); err != nil {
		return nil, "", err
	}
	if err := o.apply(opts); err != nil {
		return nil, "", err
	}
	return o, rest, nil
}

func (o *Opening) apply(opts []OpenOption) error {
	for i, opt := range opts {
		if opt == nil {
			return fmt.Errorf("%s: option %d of Open is nil", o.driver.Name, i+1)
		}
		if err := opt.open(o); err != nil {
			return fmt.Errorf("%s: %w", o.driver.Name, err)
		}
	}
	return nil
}

// Listen has the store told of ends by l, which then closes with the pool that is opened on the connector that it
// returns. Where the options have WithListener already, theirs is used, and l is not.
func (o *Opening) Listen(l *Listener, c driver.Connector) driver.Connector {
	if o.config.listener != nil {
		return c
	}
	o.config.listener = l
	return l.Connector(c)
}

// Start sets the pool up, brings the table of records up to date unless WithoutMigrate was given, and returns the store
// in it. db is Start's: where it fails it closes it.
func (o *Opening) Start(ctx context.Context, db *sqlx.DB) (*Store, error) {
	db.SetMaxOpenConns(o.conns)
	db.SetMaxIdleConns(o.conns) // an idle connection keeps its prepared statements
	store, err := o.start(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return store, nil
}

func (o *Opening) start(ctx context.Context, db *sqlx.DB) (*Store, error) {
	if !o.byHand {
		if err := o.plan.run(ctx, db, o.driver.Dialect); err != nil {
			return nil, err
		}
	}
	return o.config.open(ctx, db, o.driver.Dialect)
}

type openOption func(*Opening) error

func (f openOption) open(o *Opening) error { return f(o) }

// Conns is the most connections that the pool opens, and keeps open. The default is 10, on SQLite 8. It must be between 1
// and 10,000. A transaction of idem.DoTx holds one while its function runs; on SQLite with a pool of one, everything
// waits for a transaction that is open.
func Conns(n int) OpenOption {
	return openOption(func(o *Opening) error {
		if n < 1 || n > 10_000 {
			return fmt.Errorf("option Conns: %d is not between 1 and 10000", n)
		}
		o.conns = n
		return nil
	})
}

// WithoutMigrate has Open leave the schema alone, and fail where it is not up to date: for an application whose user may
// not change it, who runs the files with a tool of his own, or who reaches the server through a pooler, which is no way
// for a migration.
func WithoutMigrate() OpenOption {
	return openOption(func(o *Opening) error {
		o.byHand = true
		return nil
	})
}

// DriverOption returns an option of one driver package's own. set is called with the package's Settings, before anything
// is opened; the Open of any other driver refuses the option by its name. S should be a type that only this package has.
func DriverOption[S any](name string, set func(*S) error) OpenOption {
	return openOption(func(o *Opening) error {
		settings, ok := o.driver.Settings.(*S)
		if !ok {
			return fmt.Errorf("option %s belongs to another driver", name)
		}
		if err := set(settings); err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
		return nil
	})
}
