package sqltest

import (
	"context"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestAMissingTableIsNamedWithItsRemedy(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, _, err := p.try(t, sqlbackend.WithoutMigrate(), sqlbackend.Table("nowhere"))
		require.ErrorContains(t, err, "there is no table nowhere: run sqlbackend.Migrate")
		_, _, err = p.try(t, sqlbackend.Table("nowhere.orders"))
		require.Regexp(t, `there is no (schema|database) nowhere`, err.Error())
		_, _, err = p.try(t, sqlbackend.WithoutMigrate(), sqlbackend.Table("nowhere.orders"))
		require.Regexp(t, `there is no (schema|database) nowhere`, err.Error())
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, _ := p.open(t)
		if p.family() == mariadb {
			p.run(t, db, `ALTER TABLE {t} COMMENT = 'idem schema 99'`)
		} else {
			p.run(t, db, `INSERT INTO {t}_schema VALUES (99, 0)`)
		}
		_, err := p.store(t.Context(), db)
		require.ErrorIs(t, err, backend.ErrVersion)
		require.ErrorContains(t, err, "version 99")
		require.ErrorIs(t, p.migrate(t.Context(), db), backend.ErrVersion)
		_, _, err = p.try(t)
		require.ErrorIs(t, err, backend.ErrVersion)
	})
}

func TestManyProcessesMigrateAtOnce(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		for round := range 3 {
			p := p.via.fresh(t, p.via).of(1)
			var group sync.WaitGroup
			for i := range 10 {
				group.Go(func() {
					db, store, err := p.try(t)
					if err != nil {
						t.Errorf("round %d, handle %d: %v", round, i, err)
						return
					}
					defer db.Close()
					if _, err := store.Begin(t.Context(), claimOf("key")); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			db, _ := p.open(t)
			require.Equal(t, 1, p.count(t, db, `1 = 1`))
			if p.family() != mariadb {
				require.Equal(t, 1, p.number(t, db, `SELECT count(*) FROM {t}_schema`))
			}
			require.NoError(t, db.Close())
		}
	})
}

// Where a schema change can be rolled back. MariaDB's is one statement.
func TestMigrateFailsAsAWhole(t *testing.T) {
	each(t, standardSQL, func(t *testing.T, p *place) {
		db, _ := p.bare(t)
		p.run(t, db, `CREATE VIEW {t}_schema AS SELECT 1 AS n`) // in the way of the second table
		require.Error(t, p.migrate(t.Context(), db))
		there := `SELECT count(*) FROM sqlite_master WHERE type = 'table'`
		if p.family() == postgres {
			there = `SELECT count(to_regclass('idem_records'))`
		}
		require.Zero(t, p.number(t, db, there))
	})
}

func TestATableOfAnotherNameIsAnotherStore(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		p = p.family().empty(t, p.via) // where no other test has a table
		_, plain := p.open(t)
		begins(t, plain, claimOf("key"), backend.Claimed)
		names := []string{"order", "Orders", p.table + "_2"}
		switch p.family() {
		case postgres:
			far := p.via.fresh(t, p.via).params["search_path"]
			names = append(names, far+".Select", far+".idem_records")
		case mariadb:
			names = []string{"Select", p.table + "_2", databaseOf(p.at) + "." + p.table + "_3"}
		default:
			names = append(names, "Main.Select")
		}
		for _, name := range names {
			db, store := p.open(t, sqlbackend.Table(name))
			begins(t, store, claimOf("key"), backend.Claimed)
			begins(t, store, again(claimOf("key")), backend.InFlight)
			inTx(t, store, again(claimOf("key")), mustNotRun(t), backend.InFlight)
			stats, err := store.Prune(t.Context())
			require.NoError(t, err)
			require.Equal(t, backend.PruneStats{Scanned: 1}, stats)
			require.Equal(t, 1, p.count(t, db, "1 = 1"))
		}
	})
}

func TestTheFilesCanBeSentWholeAndAgain(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		p = p.family().empty(t, p.via)
		db, _ := p.bare(t)
		text, err := fs.ReadFile(sqlbackend.Migrations, p.via.migrations+"/0001_idem_records.up.sql")
		require.NoError(t, err)
		for range 2 { // as goose does after a down, which leaves the table
			_, err = db.ExecContext(t.Context(), string(text))
			require.NoError(t, err)
		}
		p.accepted(t, db)
	})
}

// accepted checks that the default table is as it should be, and that Migrate finds nothing to do.
func (p *place) accepted(t *testing.T, db *sqlx.DB) {
	t.Helper()
	store, err := p.store(t.Context(), db)
	require.NoError(t, err)
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	require.NoError(t, p.migrate(t.Context(), db), "there is nothing left to do")
	begins(t, store, again(c), backend.InFlight)
	completes(t, store, c, "answer")
	begins(t, store, again(c), backend.Replay)
}

func TestMigrateWaitsUntilItsContextEnds(t *testing.T) {
	each(t, func(v *via) bool { return v.family != postgres }, func(t *testing.T, p *place) {
		holder, _ := p.bare(t)
		db, _ := p.bare(t)
		tx, err := holder.BeginTxx(t.Context(), nil) // on SQLite the writer is the lock
		require.NoError(t, err)
		defer tx.Rollback()
		if p.family() == mariadb {
			require.Equal(t, 1, p.number(t, tx, `SELECT GET_LOCK('idem_migrate', 60)`))
		}
		short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, p.migrate(short, db), context.DeadlineExceeded)
		done := make(chan error)
		go func() { done <- p.migrate(t.Context(), db) }()
		if p.family() == mariadb {
			p.run(t, tx, `DO RELEASE_LOCK('idem_migrate')`)
		}
		require.NoError(t, tx.Rollback())
		require.NoError(t, <-done)
	})
}
