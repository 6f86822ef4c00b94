package sqltest

import (
	"database/sql"
	"errors"
	"io/fs"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratemysql "github.com/golang-migrate/migrate/v4/database/mysql"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	migratepq "github.com/golang-migrate/migrate/v4/database/postgres"
	migratesqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// migrator brings a database up to date with the embedded files, as its user would have it do.
type migrator struct {
	name string
	up   func(t *testing.T, p *place)
}

var migrators = []migrator{
	{"Migrate", migrateOurs},
	{"golang-migrate", migrateGolang},
	{"goose", migrateGoose},
}

// ready opens the place for a migrator, which closes it: every one ends with a pool of its own.
func (p *place) ready(t *testing.T) *sql.DB {
	t.Helper()
	db, _ := p.bare(t)
	return db.DB
}

func migrateOurs(t *testing.T, p *place) {
	db, _ := p.bare(t)
	require.NoError(t, p.migrate(t.Context(), db))
}

// migrateGolang needs nothing but the files: its own table is schema_migrations.
func migrateGolang(t *testing.T, p *place) {
	var target database.Driver
	var err error
	switch p.via {
	case viaPGX:
		target, err = migratepgx.WithInstance(p.ready(t), &migratepgx.Config{})
	case viaPQ:
		target, err = migratepq.WithInstance(p.ready(t), &migratepq.Config{})
	case viaMySQL, viaMySQL8:
		target, err = migratemysql.WithInstance(p.ready(t), &migratemysql.Config{})
	default:
		target, err = migratesqlite.WithInstance(p.ready(t), &migratesqlite.Config{})
	}
	require.NoError(t, err)
	files, err := iofs.New(sqlbackend.Migrations, p.via.migrations)
	require.NoError(t, err)
	m, err := migrate.NewWithInstance("iofs", files, p.via.name, target)
	require.NoError(t, err)
	if err := m.Up(); !errors.Is(err, migrate.ErrNoChange) {
		require.NoError(t, err)
	}
	version, dirty, err := m.Version()
	require.NoError(t, err)
	require.False(t, dirty)
	require.EqualValues(t, p.files(t), version)
	of, behind := m.Close()
	require.NoError(t, errors.Join(of, behind))
}

// migrateGoose needs nothing but the files: its own table is goose_db_version.
func migrateGoose(t *testing.T, p *place) {
	dialect := map[*family]goose.Dialect{postgres: goose.DialectPostgres, mariadb: goose.DialectMySQL, sqliteFamily: goose.DialectSQLite3}[p.family()]
	dir, err := fs.Sub(sqlbackend.Migrations, p.via.migrations)
	require.NoError(t, err)
	provider, err := goose.NewProvider(dialect, p.ready(t), dir)
	require.NoError(t, err)
	_, err = provider.Up(t.Context())
	require.NoError(t, err)
	version, err := provider.GetDBVersion(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, p.files(t), version)
	require.NoError(t, provider.Close())
}

// files is how many files there are for the database, and so its newest version.
func (p *place) files(t *testing.T) int {
	t.Helper()
	entries, err := fs.ReadDir(sqlbackend.Migrations, p.via.migrations)
	require.NoError(t, err)
	return len(entries)
}

func TestEveryToolRunsTheMigrations(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		for _, first := range migrators {
			t.Run(first.name, func(t *testing.T) {
				t.Parallel()
				p := p.family().empty(t, p.via)
				first.up(t, p)
				db, _ := p.bare(t)
				p.accepted(t, db)
			})
		}
	})
}

func TestToolsMayBeMixed(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		for _, first := range migrators {
			for _, second := range migrators {
				t.Run(first.name+", then "+second.name, func(t *testing.T) {
					t.Parallel()
					p := p.family().empty(t, p.via)
					first.up(t, p)
					db, _ := p.bare(t)
					store, err := p.store(t.Context(), db)
					require.NoError(t, err)
					kept := claimOf("kept")
					begins(t, store, kept, backend.Claimed)
					completes(t, store, kept, "answer")
					second.up(t, p)
					first.up(t, p)
					require.Equal(t, []byte("answer"), begins(t, store, again(kept), backend.Replay).Answer)
					p.accepted(t, db)
				})
			}
		}
	})
}
