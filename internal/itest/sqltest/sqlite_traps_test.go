package sqltest

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	sqlitedriver "modernc.org/sqlite"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

func TestBytesAreStoredAsBlobs(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	completes(t, store, c, "answer")
	var types string
	require.NoError(t, db.GetContext(t.Context(), &types,
		`SELECT typeof(id) || ' ' || typeof(token) || ' ' || typeof(fingerprint) || ' ' || typeof(answer) FROM idem_records`))
	require.Equal(t, "blob blob blob blob", types)
	_, err := db.ExecContext(t.Context(), `UPDATE idem_records SET id = CAST(id AS TEXT)`)
	require.Error(t, err, "text that looks like an id would be a second record")
}

func TestAnAnswerThatSQLiteCannotTakeIsTooLarge(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlbackend.Conns(1))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	const limitLength = 0 // SQLITE_LIMIT_LENGTH
	_, err = sqlitedriver.Limit(conn, limitLength, 10_000)
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	_, err = store.Complete(t.Context(), c.ID, c.Token, completionOf(c, string(make([]byte, 20_000))))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	completes(t, store, c, "tombstone")
}

func TestADatabaseInMemoryIsRefusedByTheStore(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"plain":             ":memory:",
		"a URI":             "file::memory:",
		"a mode":            "file:x.db?mode=memory",
		"a shared cache":    "file::memory:?cache=shared",
		"a shared name":     "file:shared?mode=memory&cache=shared",
		"a temporary table": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqlx.Open("sqlite", dsn)
			require.NoError(t, err)
			defer db.Close()
			require.ErrorContains(t, sqlbackend.Migrate(t.Context(), db, sqlite.Dialect()), "in memory")
			_, err = sqlbackend.New(t.Context(), db, sqlite.Dialect())
			require.ErrorContains(t, err, "in memory")
		})
	}
}

func TestCheckNamesTheSettingOfSQLite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pragma string
		want   backend.Finding
	}{
		"a journal that readers wait for": {"journal_mode(DELETE)", backend.Finding{Severity: backend.Warning, Setting: "journal_mode", Value: "delete"}},
		"a journal in memory":             {"journal_mode(MEMORY)", backend.Finding{Severity: backend.Error, Setting: "journal_mode", Value: "memory"}},
		"no journal":                      {"journal_mode(OFF)", backend.Finding{Severity: backend.Error, Setting: "journal_mode", Value: "off"}},
		"no waiting for the disk":         {"synchronous(OFF)", backend.Finding{Severity: backend.Error, Setting: "synchronous", Value: "0"}},
		"little waiting for the disk":     {"synchronous(NORMAL)", backend.Finding{Severity: backend.Warning, Setting: "synchronous", Value: "1"}},
		"no busy timeout":                 {"busy_timeout(0)", backend.Finding{Severity: backend.Warning, Setting: "busy_timeout", Value: "0"}},
		"no foreign keys":                 {"foreign_keys(0)", backend.Finding{Severity: backend.Warning, Setting: "foreign_keys", Value: "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := newFile(t)
			name, _, _ := strings.Cut(test.pragma, "(")
			pragmas := []string{test.pragma}
			for _, safe := range []string{"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(1000)", "foreign_keys(1)"} {
				if !strings.HasPrefix(safe, name) {
					pragmas = append(pragmas, safe)
				}
			}
			query := url.Values{"_pragma": pragmas}
			db, err := sqlx.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+query.Encode())
			require.NoError(t, err)
			defer db.Close()
			require.NoError(t, sqlbackend.Migrate(t.Context(), db, sqlite.Dialect()))
			store, err := sqlbackend.New(t.Context(), db, sqlite.Dialect())
			require.NoError(t, err)
			found, err := store.Check(t.Context())
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.NotEmpty(t, found[0].Advice)
			found[0].Advice = ""
			require.Equal(t, test.want, found[0])
		})
	}
}

func TestASchemaThatIsNotAttachedIsNamed(t *testing.T) {
	t.Parallel()
	_, _, err := sqlite.Open(t.Context(), newFile(t), sqlbackend.Table("elsewhere.orders"))
	require.ErrorContains(t, err, "there is no schema elsewhere")
}
