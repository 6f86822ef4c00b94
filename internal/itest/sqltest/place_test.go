package sqltest

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func itoa(n int) string { return strconv.Itoa(n) }

// place is a fresh storage on one database, reached via one driver.
type place struct {
	via    *via
	at     string // a URL, or a file
	table  string
	params map[string]string // of the connections
	conns  int               // 0 for the driver's default
	hidden bool              // behind a name that sqlx does not know

	direct *place              // around the pooler that the place is reached through; nil where there is none
	own    []sqlbackend.Option // that every store of the place has
}

func (p *place) family() *family { return p.via.family }

// with is the same place through connections with another setting.
func (p *place) with(name, value string) *place {
	other := *p
	other.params = map[string]string{name: value}
	for n, v := range p.params {
		if n != name {
			other.params[n] = v
		}
	}
	return &other
}

// of is the same place through a pool of another size.
func (p *place) of(conns int) *place {
	other := *p
	other.conns = conns
	return &other
}

// named are the options that say where the records are.
func (p *place) named() []sqlbackend.OpenOption {
	all := []sqlbackend.OpenOption{sqlbackend.Table(p.table)}
	if p.direct != nil {
		all = append(all, sqlbackend.WithoutMigrate())
	}
	for _, o := range p.own {
		all = append(all, o)
	}
	for _, o := range p.via.consents {
		all = append(all, o)
	}
	return all
}

func (p *place) options(opts []sqlbackend.OpenOption) []sqlbackend.OpenOption {
	all := append(p.named(), p.via.own...)
	if p.conns > 0 {
		all = append(all, sqlbackend.Conns(p.conns))
	}
	return append(all, opts...)
}

// try opens the place with the driver package's Open.
func (p *place) try(tb backendtest.TB, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error) {
	return p.via.open(tb.Context(), p.family().address(p), p.options(opts)...)
}

func (p *place) open(tb backendtest.TB, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store) {
	tb.Helper()
	db, store, err := p.try(tb, opts...)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db, store
}

// defaultTable is the table's name where no option says otherwise.
const defaultTable = "idem_records"

func (p *place) tableOptions() []sqlbackend.TableOption {
	if p.table == defaultTable {
		return p.via.consents
	}
	return append([]sqlbackend.TableOption{sqlbackend.Table(p.table)}, p.via.consents...)
}

// migrate calls Migrate, as an application does that opens the database itself.
func (p *place) migrate(ctx context.Context, db *sqlx.DB) error {
	var opts []sqlbackend.MigrateOption
	for _, o := range p.tableOptions() {
		opts = append(opts, o)
	}
	return sqlbackend.Migrate(ctx, db, p.via.dialect(), opts...)
}

// store calls New, as an application does that opens the database itself.
func (p *place) store(ctx context.Context, db *sqlx.DB) (*sqlbackend.Store, error) {
	var opts []sqlbackend.Option
	for _, o := range p.tableOptions() {
		opts = append(opts, o)
	}
	return sqlbackend.New(ctx, db, p.via.dialect(), opts...)
}

// hiddenDriver is the name of a driver that sqlx does not know. Its data source names are numbers of taps.
const hiddenDriver = "idem itest"

var hidden sync.Map

type hiddenDrivers struct{}

func init() { sql.Register(hiddenDriver, hiddenDrivers{}) }

func (hiddenDrivers) Open(string) (driver.Conn, error) { return nil, driver.ErrSkip }

func (hiddenDrivers) OpenConnector(name string) (driver.Connector, error) {
	found, ok := hidden.LoadAndDelete(name)
	if !ok {
		return nil, fmt.Errorf("there is no tap %s", name)
	}
	return found.(driver.Connector), nil
}

var taps atomic.Int64

// bare opens a pool that is watched, and no store.
func (p *place) bare(tb backendtest.TB) (*sqlx.DB, *tap) {
	tb.Helper()
	tap := &tap{}
	tap.Connector = p.via.connector(tb, p, &tap.wire)
	db := sqlx.NewDb(sql.OpenDB(tap), p.via.driver)
	if p.hidden {
		name := strconv.FormatInt(taps.Add(1), 10)
		hidden.Store(name, driver.Connector(tap))
		var err error
		if db, err = sqlx.Open(hiddenDriver, name); err != nil {
			tb.Fatalf("open: %v", err)
		}
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db, tap
}

// tapped opens the place through connections that are watched.
func (p *place) tapped(tb backendtest.TB, opts ...sqlbackend.Option) (*sqlx.DB, *sqlbackend.Store, *tap) {
	tb.Helper()
	db, tap := p.bare(tb)
	all := p.named()
	for _, o := range opts {
		all = append(all, o)
	}
	opening, _, err := sqlbackend.Driver{Name: "itest", Dialect: p.via.dialect(), Conns: cmp.Or(p.conns, 4)}.Prepare("", all)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	store, err := opening.Start(tb.Context(), db)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	return db, store, tap
}

// sql writes the table's name for {t}, a byte for {0}, and parameters as the database has them.
func (p *place) sql(text string) string {
	return sqlx.Rebind(p.family().bind, strings.NewReplacer("{t}", p.table, "{0}", p.family().zero).Replace(text))
}

func (p *place) run(tb backendtest.TB, on sqlx.ExecerContext, text string, args ...any) {
	tb.Helper()
	if _, err := on.ExecContext(tb.Context(), p.sql(text), args...); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
}

// count counts records.
func (p *place) count(tb testing.TB, db sqlx.QueryerContext, where string) int {
	tb.Helper()
	return p.number(tb, db, `SELECT count(*) FROM {t} WHERE `+where)
}

func (p *place) number(tb testing.TB, db sqlx.QueryerContext, text string) (n int) {
	tb.Helper()
	require.NoError(tb, sqlx.GetContext(tb.Context(), db, &n, p.sql(text)))
	return n
}

// advance moves every time in the table back, which is all that a clock going forward does to a record.
func (p *place) advance(tb backendtest.TB, db *sqlx.DB, d time.Duration) {
	tb.Helper()
	p.run(tb, db, strings.ReplaceAll(`UPDATE {t} SET since = since - {d}, lease_until = lease_until - {d},
expires_at = CASE WHEN expires_at = 9223372036854775807 THEN expires_at ELSE expires_at - {d} END`, "{d}", strconv.FormatInt(d.Milliseconds(), 10)))
}
