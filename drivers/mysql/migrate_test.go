package mysql

import (
	"context"
	"io/fs"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestAMissingTableIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, err := sqlbackend.New(t.Context(), s.pool(t, &tapped{}), Dialect(), sqlbackend.Table("nowhere"))
	require.ErrorContains(t, err, "there is no table nowhere: run sqlbackend.Migrate")
	_, err = sqlbackend.New(t.Context(), s.pool(t, &tapped{}), Dialect(), sqlbackend.Table("nowhere.orders"))
	require.ErrorContains(t, err, "there is no database nowhere")
}

func TestAnySchemaButOursIsRefused(t *testing.T) {
	t.Parallel()
	for comment, want := range map[string]string{
		"idem schema 99": "version 99",
		"idem schema 0":  "not idem's",
		"idem schema x":  "not idem's",
		"":               "not idem's",
	} {
		t.Run("the comment "+comment, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			db, _ := s.open(t)
			s.run(t, db, `ALTER TABLE {t} COMMENT = '`+comment+`'`)
			_, err := sqlbackend.New(t.Context(), db, Dialect(), sqlbackend.Table(s.table))
			require.ErrorContains(t, err, want)
			err = sqlbackend.Migrate(t.Context(), db, Dialect(), sqlbackend.Table(s.table))
			require.ErrorContains(t, err, want)
			if want == "version 99" {
				require.ErrorIs(t, err, backend.ErrVersion)
			}
		})
	}
}

func TestTenProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		s := fresh(t)
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				db, store, err := Open(t.Context(), s.address(), sqlbackend.Table(s.table), sqlbackend.Conns(1))
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				if _, err := store.Begin(t.Context(), claimOf("key")); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		db, _ := s.open(t)
		require.Equal(t, 1, s.count(t, db, `TRUE`))
	}
}

func TestMigrateWaitsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db := s.pool(t, &tapped{})
	conn, err := db.Connx(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	var locked bool
	require.NoError(t, conn.QueryRowContext(t.Context(), `SELECT GET_LOCK('idem_migrate', 60)`).Scan(&locked))
	require.True(t, locked)
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, sqlbackend.Migrate(short, db, Dialect(), sqlbackend.Table(s.table)), context.DeadlineExceeded)
	_, err = conn.ExecContext(t.Context(), `DO RELEASE_LOCK('idem_migrate')`)
	require.NoError(t, err)
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, Dialect(), sqlbackend.Table(s.table)))
}

func TestATableInAnotherDatabase(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	u, err := url.Parse(database)
	require.NoError(t, err)
	for _, name := range []string{"orders_" + random(), "Select", u.Path[1:] + ".t_" + random()} {
		db, store, err := Open(t.Context(), s.address(), sqlbackend.Table(name))
		require.NoError(t, err)
		begins(t, store, claimOf("key"), backend.Claimed)
		begins(t, store, again(claimOf("key")), backend.InFlight)
		require.NoError(t, db.Close())
	}
}

func TestOtherToolsCanRunTheFiles(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db := s.pool(t, &tapped{})
	text, err := fs.ReadFile(sqlbackend.Migrations, "migrations/mysql/0001_idem_records.up.sql")
	require.NoError(t, err)
	for range 2 { // whole, as golang-migrate sends it, and without multiStatements
		_, err = db.ExecContext(t.Context(), string(text))
		require.NoError(t, err)
	}
	store, err := sqlbackend.New(t.Context(), db, Dialect())
	require.NoError(t, err)
	begins(t, store, claimOf("key"), backend.Claimed)
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, Dialect()), "there is nothing left to do")
}

// keyed is a storage whose records have a foreign key to users.
func keyed(t *testing.T) (*storage, *sqlx.DB, *sqlbackend.Store) {
	t.Helper()
	s := fresh(t)
	users := s.table + "_users"
	s.run(t, s.pool(t, &tapped{}), `CREATE TABLE {t}_users (name VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PRIMARY KEY, cents INTEGER)`)
	s.migrate = []sqlbackend.MigrateOption{sqlbackend.UsersKey(users, "name")}
	db, store := s.open(t)
	return s, db, store
}

func TestAKeyToUsers(t *testing.T) {
	t.Parallel()
	s, db, store := keyed(t)
	c := claimOf("key")
	_, err := store.Begin(t.Context(), c)
	require.ErrorIs(t, err, backend.ErrUnknownUser)
	require.NotContains(t, err.Error(), `"user"`)
	_, err = store.InTx(t.Context(), c, mustNotRun(t))
	require.ErrorIs(t, err, backend.ErrUnknownUser)

	s.run(t, db, `INSERT INTO {t}_users VALUES ('user', 0)`)
	begins(t, store, c, backend.Claimed)
	s.run(t, db, `DELETE FROM {t}_users`)
	shown, err := store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, backend.Absent, shown.State, "the cascade did not reach the record")
	g, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
	require.NoError(t, err)
	require.Equal(t, backend.Lost, g.Verdict)
}

func TestAUserWhoIsLockedIsWaitedFor(t *testing.T) {
	t.Parallel()
	s, db, store := keyed(t)
	s.run(t, db, `INSERT INTO {t}_users VALUES ('user', 0)`)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.ExecContext(t.Context(), s.sql(`UPDATE {t}_users SET cents = 1`))
	require.NoError(t, err)
	time.AfterFunc(100*time.Millisecond, func() { _ = tx.Commit() })
	c := claimOf("key")
	inTx(t, store, c, answering(c, "answer"), backend.Claimed)
}

func TestAKeyToUsersMustBeThereFromTheStart(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.open(t)
	_, _, err := Open(t.Context(), s.address(), sqlbackend.Table(s.table), sqlbackend.UsersKey("users", "name"))
	require.ErrorContains(t, err, "without the foreign key to users (name)")
}
