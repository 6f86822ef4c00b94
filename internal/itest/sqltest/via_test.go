package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// via is a driver, and all that the tests know of it.
type via struct {
	name   string
	driver string // the name that it is registered under
	*family

	dialect func() sqlbackend.Dialect

	// open is the driver package's.
	open func(ctx context.Context, address string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error)

	// connector connects to a place as an application may that knows nothing of open, with w on the wire.
	connector func(tb backendtest.TB, p *place, w *wire) driver.Connector

	// own are options that every open of a test has, consents those that New and Migrate have too.
	own      []sqlbackend.OpenOption
	consents []sqlbackend.TableOption

	migrations string // the directory of the embedded files

	listening // PostgreSQL's
}

// listening is what a driver package has for those who wait.
type listening struct {
	on          func(dsn string) sqlbackend.OpenOption
	without     func() sqlbackend.OpenOption
	newListener func(dsn string) (*sqlbackend.Listener, error)
}

// family is a database, whatever the driver.
type family struct {
	fresh   func(tb testing.TB, v *via) *place
	bind    int
	zero    string // a byte, as a literal
	user    string // the type of a column that users are told by
	address func(p *place) string
	fill    func(n int) []string

	empty   func(tb testing.TB, v *via) *place // where the default table is not there
	empties string                             // the statement that leaves a table as good as new, before the name
	serves  bool                               // it is a server, and has as many writers as connections
	joins   *sql.TxOptions                     // what an application begins that joins a transaction
}

var vias = []*via{viaPGX, viaPQ, viaMySQL, viaMySQL8, viaSQLite}

func onPostgres(v *via) bool  { return v.family == postgres }
func onMariaDB(v *via) bool   { return v.family == mariadb }
func onServers(v *via) bool   { return v.serves }
func everywhere(*via) bool    { return true }
func standardSQL(v *via) bool { return v.family != mariadb }

// each runs f as a parallel subtest on every via that concerns it.
func each(t *testing.T, concerns func(*via) bool, f func(t *testing.T, p *place)) {
	t.Helper()
	t.Parallel()
	for _, v := range vias {
		if !concerns(v) {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			f(t, v.fresh(t, v))
		})
	}
}

// fill writes n expired records, n live ones, n abandoned claims that hold, n live ones that hold and n Unknown ones.
func (p *place) fill(tb testing.TB, db *sqlx.DB, n int) {
	tb.Helper()
	for _, text := range p.family().fill(n) {
		p.run(tb, db, text)
	}
}

// rows of fill: state, hold, lease_until, expires_at.
var filled = []string{
	"2, 0, 1, 0, 0, 1",
	"2, 0, 1, 0, 0, 9223372036854775807",
	"1, 1, 1, 0, 1, 9223372036854775807",
	"1, 1, 1, 0, 9223372036854775807, 9223372036854775807",
	"3, 1, 1, 0, 1, 9223372036854775807",
}

func filledBy(text string) func(n int) []string {
	return func(n int) (all []string) {
		for i, row := range filled {
			all = append(all, strings.NewReplacer("{n}", itoa(n), "{i}", itoa(i), "{row}", row).Replace(text))
		}
		return all
	}
}
