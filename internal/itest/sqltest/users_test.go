package sqltest

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	libpq "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// keyed opens the place with a foreign key from the records to a table of users.
func (p *place) keyed(t *testing.T) (*sqlx.DB, *sqlbackend.Store) {
	t.Helper()
	bare, _ := p.bare(t)
	p.run(t, bare, `CREATE TABLE {t}_users (name `+p.family().user+` PRIMARY KEY, cents INTEGER)`)
	return p.open(t, sqlbackend.UsersKey(p.table+"_users", "name"))
}

func TestAKeyToUsers(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.keyed(t)
		c := claimOf("key")
		_, err := store.Begin(t.Context(), c)
		require.ErrorIs(t, err, backend.ErrUnknownUser)
		for _, told := range []string{"(user)", `"user"`, "'user'"} {
			require.NotContains(t, err.Error(), told)
		}
		requireBare(t, err)
		_, err = store.InTx(t.Context(), c, mustNotRun(t))
		require.ErrorIs(t, err, backend.ErrUnknownUser)

		p.run(t, db, `INSERT INTO {t}_users VALUES ('user', 0)`)
		begins(t, store, c, backend.Claimed)
		p.run(t, db, `DELETE FROM {t}_users`)
		shown, err := store.Lookup(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, backend.Absent, shown.State, "the cascade did not reach the record")
		g, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
		require.NoError(t, err)
		require.Equal(t, backend.Lost, g.Verdict)
		p.open(t, sqlbackend.UsersKey(p.table+"_users", "name"))
		if p.family() == sqliteFamily { // to which names are the same in capitals
			p.open(t, sqlbackend.UsersKey(p.table+"_Users", "name"))
		}
	})
}

// requireBare checks that nobody gets at the fields beside the server's message, which repeat the row.
func requireBare(t *testing.T, err error) {
	t.Helper()
	var ofPGX *pgconn.PgError
	require.False(t, errors.As(err, &ofPGX), "its Detail is the row")
	var ofPQ *libpq.Error
	require.False(t, errors.As(err, &ofPQ), "its Detail is the row")
}

func TestAKeyToUsersMustBeThereFromTheStart(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		p.open(t)
		_, _, err := p.try(t, sqlbackend.UsersKey("users", "name"))
		require.ErrorContains(t, err, "without the foreign key to users (name)")
	})
}
