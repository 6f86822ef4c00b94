package itest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/drivers/pgx"
)

var postgresSystem = system{
	name:      "postgres",
	transacts: true,
	blind:     true,
	fresh:     freshPostgres,
	open: func(ctx context.Context, at string) (*site, error) {
		return openServer(ctx, at, func() (*sqlx.DB, error) { return sqlx.Open("pgx", at) }, sqlx.DOLLAR)
	},
	hasty: func(at string, _ time.Duration) string { return at }, // a duplicate is told at once, nothing waits
	watch: watchPostgres,
}

// freshPostgres makes a database on the server that IDEM_TEST_POSTGRES names, and drops it when the test ends.
func freshPostgres(t *testing.T) string {
	t.Helper()
	server := os.Getenv("IDEM_TEST_POSTGRES")
	if server == "" {
		t.Skip("IDEM_TEST_POSTGRES names no server; ./test starts one")
	}
	return freshOnPostgres(t, server)
}

// freshOnPostgres is freshPostgres on another server.
func freshOnPostgres(t *testing.T, server string) string {
	t.Helper()
	admin, err := sqlx.Open("pgx", server)
	require.NoError(t, err)
	name := freshName()
	_, err = admin.ExecContext(t.Context(), `CREATE DATABASE `+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`)
		require.NoError(t, errors.Join(err, admin.Close()))
	})
	at, err := url.Parse(server)
	require.NoError(t, err)
	at.Path = "/" + name
	return at.String()
}

// watchPostgres looks at every row and at who wrote and locked it last.
func watchPostgres(t *testing.T, at string) func() string {
	t.Helper()
	db, err := sqlx.Open("pgx", at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return func() (seen string) {
		require.NoError(t, db.GetContext(t.Context(), &seen, `
SELECT coalesce((SELECT string_agg(concat_ws(' ', r.ctid, r.xmin, r.xmax, r::text), ',' ORDER BY r.id) FROM idem_records r), '')
|| ';' || coalesce((SELECT string_agg(concat_ws(' ', e.ctid, e.xmin, e.xmax), ',' ORDER BY e.ctid) FROM effects e), '')`))
		return seen
	}
}

// openServer opens the records at a URL, and beside them a pool for effects.
func openServer(ctx context.Context, at string, beside func() (*sqlx.DB, error), bind int) (*site, error) {
	h, err := backend.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	db, err := beside()
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	on := sqlEffects{on: db, bind: bind}
	return &site{
		store:   h.Store,
		staged:  stage[*sqlx.Tx](h.Store),
		effects: on,
		doTx:    sqlDoTx(bind),
		prepare: on.create,
		close:   func() error { return errors.Join(h.Close(), db.Close()) },
	}, nil
}
