package sqlite

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestOpenTakesAnyFileName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"plain.db", "with space.db", "a?b=c&d.db", "100%.db", "%41.db", "#1.db", "ünïcode.db", "a+b;c.db", "'quoted\".db", "file.db?mode=memory",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), name)
			_, store := openFile(t, file)
			begins(t, store, claimOf("key"), backend.Claimed)
			require.FileExists(t, file)
			others, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
			require.NoError(t, err)
			for _, other := range others {
				require.True(t, strings.HasPrefix(other, file), "there is also %s", filepath.Base(other))
			}
		})
	}
}

func TestOpenTakesARelativeName(t *testing.T) {
	t.Chdir(t.TempDir())
	_, store := openFile(t, "./a b.db")
	begins(t, store, claimOf("key"), backend.Claimed)
	require.FileExists(t, "a b.db")
}

func TestOpenSetsEveryConnectionUp(t *testing.T) {
	t.Parallel()
	db, store, err := Open(t.Context(), newFile(t))
	require.NoError(t, err)
	defer db.Close()
	for range 3 {
		conn, err := db.Connx(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "3000", "foreign_keys": "1"} {
			var value string
			require.NoError(t, conn.GetContext(t.Context(), &value, "PRAGMA "+pragma))
			require.Equal(t, want, value, pragma)
		}
	}
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, test := range map[string]struct {
		file string
		opt  sqlbackend.OpenOption
		want string
	}{
		"a database in memory":        {":memory:", nil, "memory"},
		"no name":                     {"", nil, "memory"},
		"a URI":                       {"file:x.db?mode=memory", nil, "not a URI"},
		"a NUL":                       {"a\x00b", nil, "NUL"},
		"a directory":                 {dir, nil, "sqlite: open " + filepath.Base(dir)},
		"a missing directory":         {filepath.Join(dir, "no", "x.db"), nil, "sqlite: open x.db"},
		"no durability":               {"x.db", Synchronous("off"), "Synchronous"},
		"no busy timeout":             {"x.db", BusyTimeout(0), "BusyTimeout"},
		"a busy timeout of an hour":   {"x.db", BusyTimeout(time.Hour), "BusyTimeout"},
		"no connections":              {"x.db", sqlbackend.Conns(0), "Conns"},
		"a table that is no name":     {filepath.Join(dir, "y.db"), sqlbackend.Table("a b"), "Table"},
		"a wrong option of the store": {filepath.Join(dir, "y.db"), sqlbackend.PruneStep(0), "PruneStep"},
		"a users key that is no name": {filepath.Join(dir, "y.db"), sqlbackend.UsersKey("users", "a b"), "UsersKey"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opts []sqlbackend.OpenOption
			if test.opt != nil {
				opts = append(opts, test.opt)
			}
			_, _, err := Open(t.Context(), test.file, opts...)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), dir, "only the file's own name may be shown")
		})
	}
	_, _, err := Open(t.Context(), "x.db", nil)
	require.ErrorContains(t, err, "option 1")
	require.NoFileExists(t, "x.db")
}

func TestTheSchemeIsRegistered(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a?b%.db")
	h, err := backend.Open(t.Context(), "sqlite:"+url.PathEscape(file)+"?synchronous=normal&busy_timeout=1s&table=orders&readable=false")
	require.NoError(t, err)
	defer func() { require.NoError(t, h.Close()) }()
	begins(t, h.Store, claimOf("key"), backend.Claimed)
	require.FileExists(t, file)

	db, err := sqlx.Open(driverName, file[:strings.IndexByte(file, '?')])
	require.NoError(t, err)
	require.NoError(t, db.Close())
	db, _ = openFile(t, file)
	var user *string
	require.NoError(t, db.GetContext(t.Context(), &user, `SELECT user_name FROM orders`))
	require.Nil(t, user)
}

func TestAURLReads(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sqlite:app.db":              "app.db",
		"sqlite:./dir/app.db":        "./dir/app.db",
		"sqlite:/srv/app.db":         "/srv/app.db",
		"sqlite:///srv/app.db":       "/srv/app.db",
		"sqlite:a%20b%3F%25%23.db":   "a b?%#.db",
		"sqlite:a b.db?table=orders": "a b.db",
	} {
		opening, rest, err := opener(newSettings()).Prepare(text, nil)
		require.NoError(t, err, text)
		require.NotNil(t, opening)
		file, err := parseURL(rest)
		require.NoError(t, err, text)
		require.Equal(t, want, file, text)
	}
}

func TestAURLIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"with a host":               {"sqlite://host/app.db", "host"},
		"with a bad escape":         {"sqlite:100%.db", "%25"},
		"with a fragment":           {"sqlite:app.db#x", "%23"},
		"without a file":            {"sqlite:", "memory"},
		"for a database in memory":  {"sqlite::memory:", "memory"},
		"with an unknown parameter": {"sqlite:app.db?mode=memory", `unknown parameter "mode"`},
		"with a parameter twice":    {"sqlite:app.db?table=a&table=b", "table is given more than once"},
		"with one of its own twice": {"sqlite:app.db?synchronous=full&synchronous=full", "synchronous is given more than once"},
		"with a bad query":          {"sqlite:app.db?mode=%zz", "query"},
		"with a bad escape in ours": {"sqlite:app.db?table=%zz", "parameter table"},
		"with a number for a time":  {"sqlite:app.db?busy_timeout=3", "busy_timeout"},
		"with a bad boolean":        {"sqlite:app.db?readable=no", "readable"},
		"with a bad synchronous":    {"sqlite:app.db?synchronous=off", "option Synchronous"},
		"with a table that is none": {"sqlite:app.db?table=a%20b", "option Table"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := backend.Open(t.Context(), test.text)
			require.ErrorContains(t, err, test.want)
		})
	}
	require.NoFileExists(t, "app.db")
}
