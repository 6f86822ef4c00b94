package sqlite

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// openEmpty opens a file without a table.
func openEmpty(t *testing.T, file string) *sqlx.DB {
	t.Helper()
	s := settings{synchronous: "NORMAL", busyTimeout: time.Second}
	dsn, err := s.dsn(file)
	require.NoError(t, err)
	db, err := sqlx.Open(driverName, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestAMissingTableIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	db := openEmpty(t, newFile(t))
	_, err := sqlbackend.New(t.Context(), db, Dialect(), sqlbackend.Table("orders"))
	require.ErrorContains(t, err, "there is no table orders: run sqlbackend.Migrate")
}

func TestAnySchemaButOursIsRefused(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db, _ := openFile(t, file)
	_, err := db.ExecContext(t.Context(), `INSERT INTO idem_records_schema VALUES (99, 0)`)
	require.NoError(t, err)
	_, err = sqlbackend.New(t.Context(), db, Dialect())
	require.ErrorIs(t, err, backend.ErrVersion)
	require.ErrorIs(t, sqlbackend.Migrate(t.Context(), db, Dialect()), backend.ErrVersion)
	_, _, err = Open(t.Context(), file)
	require.ErrorIs(t, err, backend.ErrVersion)
}

func TestManyProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for round := range 10 {
		file := newFile(t)
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				db, store, err := Open(t.Context(), file, Synchronous("normal"), BusyTimeout(time.Millisecond))
				if err != nil {
					t.Errorf("round %d, handle %d: %v", round, i, err)
					return
				}
				defer db.Close()
				// Ten connections open at once; only the claim waits for the writer no longer than busy_timeout.
				if _, err := store.Lookup(t.Context(), backend.ID{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		db, _ := openFile(t, file)
		var versions int
		require.NoError(t, db.GetContext(t.Context(), &versions, `SELECT count(*) FROM idem_records_schema`))
		require.Equal(t, 1, versions)
	}
}

func TestMigrateWaitsForTheWriterUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db := openEmpty(t, file)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, sqlbackend.Migrate(short, db, Dialect()), context.DeadlineExceeded)
	done := make(chan error)
	go func() { done <- sqlbackend.Migrate(t.Context(), db, Dialect()) }()
	require.NoError(t, tx.Commit())
	require.NoError(t, <-done)
}

func TestMigrateFailsAsAWhole(t *testing.T) {
	t.Parallel()
	db := openEmpty(t, newFile(t))
	_, err := db.ExecContext(t.Context(), `CREATE VIEW idem_records_schema AS SELECT 1`)
	require.NoError(t, err)
	require.Error(t, sqlbackend.Migrate(t.Context(), db, Dialect()))
	var tables int
	require.NoError(t, db.GetContext(t.Context(), &tables, `SELECT count(*) FROM sqlite_master WHERE type = 'table'`))
	require.Zero(t, tables)
}

func TestATableOfAnotherNameIsAnotherStore(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, plain := openFile(t, file)
	begins(t, plain, claimOf("key"), backend.Claimed)
	for _, name := range []string{"orders", "order", "Main.Select", "idem_records_2"} {
		db, store := openFile(t, file, sqlbackend.Table(name))
		begins(t, store, claimOf("key"), backend.Claimed)
		begins(t, store, again(claimOf("key")), backend.InFlight)
		var n int
		require.NoError(t, db.GetContext(t.Context(), &n, `SELECT count(*) FROM idem_records`))
		require.Equal(t, 1, n)
	}
}

func TestASchemaThatIsNotAttachedIsNamed(t *testing.T) {
	t.Parallel()
	_, _, err := Open(t.Context(), newFile(t), sqlbackend.Table("elsewhere.orders"))
	require.ErrorContains(t, err, "there is no schema elsewhere")
}

func TestOtherToolsCanRunTheFiles(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db := openEmpty(t, file)
	text, err := fs.ReadFile(sqlbackend.Migrations, "migrations/sqlite/0001_idem_records.up.sql")
	require.NoError(t, err)
	for range 2 { // as goose does after a down, which leaves the table
		_, err = db.ExecContext(t.Context(), string(text))
		require.NoError(t, err)
	}
	store, err := sqlbackend.New(t.Context(), db, Dialect())
	require.NoError(t, err)
	begins(t, store, claimOf("key"), backend.Claimed)
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, Dialect()), "there is nothing left to do")
	begins(t, store, again(claimOf("key")), backend.InFlight)
}

func TestAKeyToUsers(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	db, store := openFile(t, file, sqlbackend.UsersKey("users", "name"))
	_, err := db.ExecContext(t.Context(), `CREATE TABLE users (name TEXT PRIMARY KEY)`)
	require.NoError(t, err)
	c := claimOf("key")

	_, err = store.Begin(t.Context(), c)
	require.ErrorIs(t, err, backend.ErrUnknownUser)
	require.NotContains(t, err.Error(), `"user"`)
	_, err = store.InTx(t.Context(), c, mustNotRun(t))
	require.ErrorIs(t, err, backend.ErrUnknownUser)

	_, err = db.ExecContext(t.Context(), `INSERT INTO users VALUES ('user')`)
	require.NoError(t, err)
	begins(t, store, c, backend.Claimed)

	_, err = db.ExecContext(t.Context(), `DELETE FROM users`)
	require.NoError(t, err)
	shown, err := store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, backend.Absent, shown.State, "the cascade did not reach the record")
	g, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
	require.NoError(t, err)
	require.Equal(t, backend.Lost, g.Verdict)
	openFile(t, file, sqlbackend.UsersKey("Users", "name"))
}

func TestAKeyToUsersMustBeThereFromTheStart(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	openFile(t, file)
	_, _, err := Open(t.Context(), file, sqlbackend.UsersKey("users", "name"))
	require.ErrorContains(t, err, "without the foreign key to users (name)")
}

func TestARunThatBreaksAKeyOfItsOwnIsNoUnknownUser(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	_, err := db.ExecContext(t.Context(), `CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a)`)
	require.NoError(t, err)
	_, err = store.InTx(t.Context(), claimOf("key"), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO b VALUES (1)`)
		return fmt.Errorf("mine: %w", err)
	})
	require.ErrorContains(t, err, "mine")
	require.NotErrorIs(t, err, backend.ErrUnknownUser)
}
