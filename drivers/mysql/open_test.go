package mysql

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestTheSchemeIsRegistered(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params = url.Values{"table": {s.table}, "readable": {"false"}, "conns": {"2"}, "sql_mode": {"''"}, "clientFoundRows": {"true"}}.Encode()
	h, err := backend.Open(t.Context(), s.address())
	require.NoError(t, err)
	defer func() { require.NoError(t, h.Close()) }()
	begins(t, h.Store, claimOf("key"), backend.Claimed)
	db := s.pool(t, &tapped{})
	require.Equal(t, 1, s.count(t, db, `user_name IS NULL`))
}

func TestOpenSetsEveryConnectionUp(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store, err := Open(t.Context(), s.address(), sqlbackend.Table(s.table))
	require.NoError(t, err)
	defer db.Close()
	var level string
	require.NoError(t, db.GetContext(t.Context(), &level, `SELECT @@tx_isolation`))
	require.Equal(t, "READ-COMMITTED", level)
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	for _, f := range found {
		require.Contains(t, []string{"innodb_flush_log_at_trx_commit", "innodb_doublewrite", "sync_binlog"}, f.Setting, "a test server may be set up to be fast")
	}
}

func TestCheckNamesWhatIsUnsafe(t *testing.T) {
	t.Parallel()
	for setting, test := range map[string]struct {
		alter, params string
		want          backend.Finding
	}{
		"isolation level":             {"", "tx_isolation=%27REPEATABLE-READ%27", backend.Finding{Severity: backend.Warning, Value: "REPEATABLE-READ"}},
		"storage engine of the table": {"ENGINE = Aria", "", backend.Finding{Severity: backend.Error, Value: "Aria"}},
		"type of the column id":       {"MODIFY id VARCHAR(32)", "", backend.Finding{Severity: backend.Error, Value: "varchar(32)"}},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params = test.params
			db, store := s.open(t)
			if test.alter != "" {
				s.run(t, db, `ALTER TABLE {t} `+test.alter)
			}
			found, err := store.Check(t.Context())
			require.NoError(t, err)
			for _, f := range found {
				if f.Setting == setting {
					require.NotEmpty(t, f.Advice)
					f.Advice, test.want.Setting = "", setting
					require.Equal(t, test.want, f)
					return
				}
			}
			t.Errorf("%s is not among %+v", setting, found)
		})
	}
}

func TestConnectionsThatCannotKeepRecordsAreRefused(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{"charset=latin1": "not utf8mb4", "autocommit=0": "autocommit off"} {
		t.Run(params, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params = params
			_, _, err := Open(t.Context(), s.address())
			require.ErrorContains(t, err, want)
		})
	}
}

func TestConnectionsThatReadUncommittedAreRefused(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params = "tx_isolation=%27READ-UNCOMMITTED%27"
	err := sqlbackend.Migrate(t.Context(), s.pool(t, &tapped{}), Dialect(), s.migrateOptions()...)
	require.ErrorContains(t, err, "READ UNCOMMITTED")
	require.ErrorContains(t, err, "isolation='READ-COMMITTED'")
}

func TestAnAddressReads(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mysql://u:p@h:1/d":                      "u:p@tcp(h:1)/d",
		"mysql://h/d":                            "@tcp(h:3306)/d",
		"mysql:///d":                             "@tcp(127.0.0.1:3306)/d",
		"mysql://u:p%40%3A%2Fq@[::1]:1/d":        "u:p@:/q@tcp([::1]:1)/d",
		"mysql://u@ignored/d?socket=/run/m.sock": "u@unix(/run/m.sock)/d",
	} {
		c, err := parseURL(text)
		require.NoError(t, err, text)
		auth := c.User
		if c.Passwd != "" {
			auth += ":" + c.Passwd
		}
		require.Equal(t, want, auth+"@"+c.Net+"("+c.Addr+")/"+c.DBName, text)
		require.Equal(t, "'READ-COMMITTED'", c.Params["tx_isolation"])
	}
	_, address, err := opener.Prepare("mysql://h/d?clientFoundRows=true&sql_mode=%27%27&table=x&transaction_isolation=%27SERIALIZABLE%27", nil)
	require.NoError(t, err)
	c, err := parseURL(address)
	require.NoError(t, err)
	require.True(t, c.ClientFoundRows)
	require.Equal(t, map[string]string{"sql_mode": "''", "transaction_isolation": "'SERIALIZABLE'"}, c.Params)
}

func TestAnAddressIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"without a database":        {"mysql://root:secret@127.0.0.1", "must name one database"},
		"with a path for one":       {"mysql://root:secret@127.0.0.1/a/b", "must name one database"},
		"that cannot be read":       {"mysql://root:secret@127.0.0.1:port/d", "percent-encoded"},
		"with a bad escape":         {"mysql://root:sec%ret@127.0.0.1/d", "percent-encoded"},
		"with a bad query":          {"mysql://root:secret@127.0.0.1/d?a=%zz", "query"},
		"with a parameter twice":    {"mysql://root:secret@127.0.0.1/d?table=a&table=b", "table is given more than once"},
		"with a bad table":          {"mysql://root:secret@127.0.0.1/d?table=a%20b", "Table"},
		"with no connections":       {"mysql://root:secret@127.0.0.1/d?conns=0", "Conns"},
		"with a word for a number":  {"mysql://root:secret@127.0.0.1/d?conns=many", "conns"},
		"with a bad boolean":        {"mysql://root:secret@127.0.0.1/d?readable=no", "readable"},
		"with a bad consent":        {"mysql://root:secret@127.0.0.1/d?untested_mysql=1", "untested_mysql"},
		"with a bad driver setting": {"mysql://root:secret@127.0.0.1/d?parseTime=perhaps", "parameter of the driver"},
		"of nobody who listens":     {"mysql://root:secret@127.0.0.1:1/d", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := backend.Open(t.Context(), test.text)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "sec")
		})
	}
	_, _, err := Open(t.Context(), "mysql://h/d", nil)
	require.ErrorContains(t, err, "option 1")
	_, _, err = Open(t.Context(), "mysql://127.0.0.1:1/d", sqlbackend.Conns(10_001))
	require.ErrorContains(t, err, "Conns")
	_, _, err = Open(t.Context(), "mysql://127.0.0.1:1/d", sqlbackend.PruneStep(0))
	require.ErrorContains(t, err, "PruneStep")
}
