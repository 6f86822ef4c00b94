package pgx

import (
	"io/fs"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// openBare opens a pool on a schema without a table.
func openBare(t *testing.T, schema string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("pgx", server(t, "search_path="+schema))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAMissingTableIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	dsn := server(t, "search_path="+newSchema(t))
	_, _, err := Open(t.Context(), dsn, sqlbackend.WithoutMigrate(), sqlbackend.Table("orders"))
	require.ErrorContains(t, err, "there is no table orders: run sqlbackend.Migrate")
	_, _, err = Open(t.Context(), dsn, sqlbackend.Table("nowhere.orders"))
	require.ErrorContains(t, err, "there is no schema nowhere")
}

func TestAnySchemaButOursIsRefused(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	db.MustExec(`INSERT INTO idem_records_schema VALUES (99, 0)`)
	_, err := sqlbackend.New(t.Context(), db, Dialect())
	require.ErrorIs(t, err, backend.ErrVersion)
	require.ErrorIs(t, sqlbackend.Migrate(t.Context(), db, Dialect()), backend.ErrVersion)
}

func TestManyProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		schema := newSchema(t)
		dsn := server(t, "search_path="+schema)
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				db, _, err := Open(t.Context(), dsn)
				if err != nil {
					t.Errorf("round %d, handle %d: %v", round, i, err)
					return
				}
				_ = db.Close()
			})
		}
		group.Wait()
		db, _ := openIn(t, schema, server(t))
		var versions int
		require.NoError(t, db.GetContext(t.Context(), &versions, `SELECT count(*) FROM idem_records_schema`))
		require.Equal(t, 1, versions)
		require.NoError(t, db.Close())
	}
}

func TestMigrateFailsAsAWhole(t *testing.T) {
	t.Parallel()
	db := openBare(t, newSchema(t))
	db.MustExec(`CREATE TYPE idem_records_schema AS (n integer)`) // in the way of the second table
	require.Error(t, sqlbackend.Migrate(t.Context(), db, Dialect()))
	var there bool
	require.NoError(t, db.GetContext(t.Context(), &there, `SELECT to_regclass('idem_records') IS NOT NULL`))
	require.False(t, there)
}

func TestATableOfAnotherNameIsAnotherStore(t *testing.T) {
	t.Parallel()
	schema, far := newSchema(t), newSchema(t)
	_, plain := openIn(t, schema, server(t))
	begins(t, plain, claimOf("key"), backend.Claimed)
	for _, name := range []string{"orders", "order", "Orders", "idem_records_2", far + ".Select", far + ".idem_records"} {
		db, store := openIn(t, schema, server(t), sqlbackend.Table(name))
		begins(t, store, claimOf("key"), backend.Claimed)
		inTx(t, store, again(claimOf("key")), mustNotRun(t), backend.InFlight)
		stats, err := store.Prune(t.Context())
		require.NoError(t, err)
		require.Equal(t, backend.PruneStats{Scanned: 1}, stats)
		require.Equal(t, 1, count(t, db, "true"))
	}
}

func TestOtherToolsCanRunTheFiles(t *testing.T) {
	t.Parallel()
	db := openBare(t, newSchema(t))
	text, err := fs.ReadFile(sqlbackend.Migrations, "migrations/postgres/0001_idem_records.up.sql")
	require.NoError(t, err)
	for range 2 { // as goose does after a down, which leaves the table
		db.MustExec(string(text))
	}
	store, err := sqlbackend.New(t.Context(), db, Dialect())
	require.NoError(t, err)
	begins(t, store, claimOf("key"), backend.Claimed)
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, Dialect()), "there is nothing left to do")
	begins(t, store, again(claimOf("key")), backend.InFlight)
}
