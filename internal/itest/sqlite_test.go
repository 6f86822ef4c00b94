package itest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/drivers/sqlite"
)

var sqliteSystem = system{
	name:      "sqlite",
	transacts: true,
	single:    true,
	fresh: func(t *testing.T) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "records.db")
	},
	open: openSQLite,
	hasty: func(url string, d time.Duration) string {
		return url + "?busy_timeout=" + d.String()
	},
	watch: watchSQLite,
}

// sqliteFile is the file that a URL names.
func sqliteFile(url string) string {
	file, _, _ := strings.Cut(strings.TrimPrefix(url, "sqlite:"), "?")
	return file
}

// openBeside opens the file past idem, as an application does that keeps its own tables there.
func openBeside(url string) (*sqlx.DB, error) {
	return sqlx.Open("sqlite", "file:"+sqliteFile(url)+"?"+sqliteQuery.Encode())
}

var sqliteQuery = url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)"}}

// watchSQLite looks at what SQLite itself says about commits of others, and at the bytes of the file and of its WAL.
func watchSQLite(t *testing.T, url string) func() string {
	t.Helper()
	db, err := openBeside(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	conn, err := db.Connx(t.Context()) // a data_version is one connection's
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return func() string {
		var version int64
		require.NoError(t, conn.GetContext(t.Context(), &version, `PRAGMA data_version`))
		seen := fmt.Sprint("data_version ", version)
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(sqliteFile(url) + suffix)
			require.NoError(t, err)
			seen += fmt.Sprintf(", %d bytes %x", len(content), sha256.Sum256(content))
		}
		return seen
	}
}

func openSQLite(ctx context.Context, url string) (*site, error) {
	h, err := backend.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	beside, err := openBeside(url)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	on := sqlEffects{on: beside, bind: sqlx.QUESTION}
	return &site{
		store:   h.Store,
		staged:  stage[*sqlx.Tx](h.Store),
		effects: on,
		doTx:    sqlDoTx(on.bind),
		prepare: on.create,
		close:   func() error { return errors.Join(h.Close(), beside.Close()) },
	}, nil
}

// sqlDoTx is idem.DoTx on a SQL backend: the effect is written through the transaction.
func sqlDoTx(bind int) txCall {
	return func(ctx context.Context, g *idem.Guard, key idem.Key, req payment, fn payFunc, opts ...idem.CallOption) (idem.Result[answer], error) {
		return idem.DoTxResult(ctx, g, key, owner, req, func(ctx context.Context, tx *sqlx.Tx, _ payment) (answer, error) {
			return fn(ctx, sqlEffects{on: tx, bind: bind})
		}, opts...)
	}
}

// sqlEffects are the rows of a table, reached through a pool or in a transaction.
type sqlEffects struct {
	on   sqlx.ExtContext
	bind int
}

func (e sqlEffects) create(ctx context.Context) error {
	_, err := e.on.ExecContext(ctx, `CREATE TABLE effects (record VARCHAR(255) NOT NULL, run VARCHAR(64) NOT NULL)`)
	return err
}

func (e sqlEffects) add(ctx context.Context, key, run string) error {
	_, err := e.on.ExecContext(ctx, sqlx.Rebind(e.bind, `INSERT INTO effects (record, run) VALUES (?, ?)`), key, run)
	return err
}

func (e sqlEffects) of(ctx context.Context, key string) (runs []string, err error) {
	err = sqlx.SelectContext(ctx, e.on, &runs, sqlx.Rebind(e.bind, `SELECT run FROM effects WHERE record = ?`), key)
	return runs, err
}

func (e sqlEffects) all(ctx context.Context) (map[string][]string, error) {
	var rows []struct{ Record, Run string }
	err := sqlx.SelectContext(ctx, e.on, &rows, `SELECT record, run FROM effects`)
	had := map[string][]string{}
	for _, row := range rows {
		had[row.Record] = append(had[row.Record], row.Run)
	}
	return had, err
}

func (e sqlEffects) count(ctx context.Context) (n int, err error) {
	err = sqlx.GetContext(ctx, e.on, &n, `SELECT COUNT(*) FROM effects`)
	return n, err
}
