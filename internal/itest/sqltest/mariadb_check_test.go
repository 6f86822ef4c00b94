package sqltest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestCheckNamesTheSettingOfMariaDB(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		for setting, test := range map[string]struct {
			alter, level string
			want         backend.Finding
		}{
			"isolation level":             {"", "'REPEATABLE-READ'", backend.Finding{Severity: backend.Warning, Value: "REPEATABLE-READ"}},
			"storage engine of the table": {"ENGINE = Aria", "", backend.Finding{Severity: backend.Error, Value: "Aria"}},
			"type of the column id":       {"MODIFY id VARCHAR(32)", "", backend.Finding{Severity: backend.Error, Value: "varchar(32)"}},
		} {
			t.Run(setting, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via)
				if level := test.level; level != "" {
					p = p.with("tx_isolation", level)
				}
				db, store := p.open(t)
				if test.alter != "" {
					p.run(t, db, `ALTER TABLE {t} `+test.alter)
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
	})
}

func TestConnectionsThatCannotKeepRecordsAreRefused(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		for setting, want := range map[string]string{"charset=latin1": "not utf8mb4", "autocommit=0": "autocommit off"} {
			t.Run(setting, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via)
				name, value, _ := strings.Cut(setting, "=")
				_, _, err := p.with(name, value).try(t)
				require.ErrorContains(t, err, want)
			})
		}
	})
}

func TestConnectionsThatReadUncommittedAreRefused(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, _ := p.with("tx_isolation", "'READ-UNCOMMITTED'").bare(t)
		err := p.migrate(t.Context(), db)
		require.ErrorContains(t, err, "READ UNCOMMITTED")
		require.ErrorContains(t, err, map[*via]string{viaMySQL: "set tx_", viaMySQL8: "set transaction_"}[p.via]+"isolation='READ-COMMITTED'")
	})
}

func TestATableThatIsNotIdemsIsRefused(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		for comment, want := range map[string]string{
			"idem schema 99": "version 99",
			"idem schema 0":  "not idem's",
			"idem schema x":  "not idem's",
			"":               "not idem's",
		} {
			t.Run("the comment "+comment, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via)
				db, _ := p.open(t)
				p.run(t, db, `ALTER TABLE {t} COMMENT = '`+comment+`'`)
				_, err := p.store(t.Context(), db)
				require.ErrorContains(t, err, want)
				err = p.migrate(t.Context(), db)
				require.ErrorContains(t, err, want)
				if want == "version 99" {
					require.ErrorIs(t, err, backend.ErrVersion)
				}
			})
		}
	})
}
