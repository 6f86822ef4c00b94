package sqlbackend

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// Migrations holds the schema, a directory for each database: migrations/sqlite, migrations/postgres, migrations/mysql for
// MariaDB, and migrations/mysql8 for MySQL, whose collations have other names. goose and golang-migrate run the same files
// that Migrate runs, for a table of the default name:
//
//	dir, err := fs.Sub(sqlbackend.Migrations, "migrations/sqlite")
//	goose.NewProvider(goose.DialectSQLite3, db, dir)
//	iofs.New(sqlbackend.Migrations, "migrations/sqlite")
//
// Each file records its version in idem_records_schema, where New looks for it; on MariaDB and MySQL, whose schema changes
// cannot be rolled back, each is one statement and leaves its version in the table's comment. Nothing goes down: to drop the
// records that say which effects have happened takes a person.
//
//go:embed migrations/*/*.sql
var Migrations embed.FS

// plan is what Migrate goes by.
type plan struct {
	table         table
	users         *usersKey
	untestedMySQL bool
}

// usersKey is the column that UsersKey names.
type usersKey struct{ table, column string }

// Migrate brings the table of records to the version that this library needs. It may run in any number of processes at
// once, and does nothing where nothing is to be done. A schema newer than this library is left alone, and the error
// wraps backend.ErrVersion.
func Migrate(ctx context.Context, db *sqlx.DB, d Dialect, opts ...MigrateOption) error {
	if err := given(db, d); err != nil {
		return err
	}
	p := newPlan()
	for i, o := range opts {
		if o == nil {
			return fmt.Errorf("sqlbackend: option %d of Migrate is nil", i+1)
		}
		if err := o.plan(&p); err != nil {
			return err
		}
	}
	return p.run(ctx, db, d)
}

func newPlan() plan { return plan{table: table{name: defaultTable}} }

// run is Migrate, whose options p knows.
func (p *plan) run(ctx context.Context, db *sqlx.DB, d Dialect) error {
	d, err := chosen(ctx, db, d, p.untestedMySQL)
	if err != nil {
		return err
	}
	if err := d.usable(ctx, db, p.table); err != nil {
		return err
	}
	files, err := migrations(d)
	if err != nil {
		return err
	}
	if err := p.migrate(ctx, db, d, files); err != nil {
		if ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return fmt.Errorf("sqlbackend: migrate table %s: %w", p.table, err)
	}
	return nil
}

func (p *plan) migrate(ctx context.Context, db *sqlx.DB, d Dialect, files []migration) error {
	have, err := d.version(ctx, db, p.table)
	if err != nil {
		return err
	}
	if have != files[len(files)-1].version {
		err = d.alone(ctx, db, func(ctx context.Context, on *sqlx.Conn) error { return p.apply(ctx, on, d, files) })
	}
	if err != nil || p.users == nil {
		return err
	}
	keyed, err := d.keyed(ctx, db, p.table, *p.users)
	if err == nil && !keyed {
		err = fmt.Errorf("it was made without the foreign key to %s (%s), which cannot be added to it", p.users.table, p.users.column)
	}
	return err
}

// apply runs what is missing. What another process has done meanwhile is not missing any more.
func (p *plan) apply(ctx context.Context, on *sqlx.Conn, d Dialect, files []migration) error {
	have, err := d.version(ctx, on, p.table)
	if err != nil {
		return err
	}
	if known := files[len(files)-1].version; have > known {
		return fmt.Errorf("%w: the schema has version %d, this library knows %d", backend.ErrVersion, have, known)
	}
	for _, m := range files {
		if m.version <= have {
			continue
		}
		for _, statement := range p.statements(d, m.text) {
			if _, err := on.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("version %d: %w", m.version, err)
			}
		}
	}
	return nil
}

// usersMark stands in a migration where the foreign key to users goes.
const usersMark = "/* users key */"

var (
	tableInFile   = regexp.MustCompile(`\b` + defaultTable + `(` + schemaSuffix + `)?\b`)
	commentInFile = regexp.MustCompile(`(?m)^--.*$`)
)

// statements returns a file's text for p's table, one statement each: not every driver takes several at once.
func (p *plan) statements(d Dialect, text string) []string {
	text = commentInFile.ReplaceAllString(text, "")
	text = tableInFile.ReplaceAllStringFunc(text, func(name string) string {
		return p.table.quoted(d.words().quote, strings.TrimPrefix(name, defaultTable))
	})
	key := ""
	if p.users != nil {
		key = d.references(*p.users)
	}
	text = strings.ReplaceAll(text, usersMark, key)
	var all []string
	for statement := range strings.SplitSeq(text, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			all = append(all, statement)
		}
	}
	return all
}

// migration is one embedded file.
type migration struct {
	version int
	text    string
}

// migrations returns the dialect's files in the order of their versions.
func migrations(d Dialect) ([]migration, error) {
	dir := d.words().migrations
	entries, err := fs.ReadDir(Migrations, dir) // sorted by name, whose number has leading zeros
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, entry := range entries {
		text, err := fs.ReadFile(Migrations, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version: version, text: string(text)})
	}
	return all, nil
}

// latest returns the version that this library needs.
func latest(d Dialect) (int, error) {
	all, err := migrations(d)
	if err != nil {
		return 0, err
	}
	return all[len(all)-1].version, nil
}
