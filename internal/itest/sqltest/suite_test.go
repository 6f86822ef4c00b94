package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
)

// setup is a way to reach a database that the suites must not notice.
type setup struct {
	name   string
	via    *via
	conns  int
	params map[string]string
	hidden bool
	by     func(testing.TB, *place) *place // what is done with a fresh place
}

// Each via has the pools that deadlock first, meet most often and lie between. The settings of the connections are spread
// over them: no two of one row concern the same thing, so that neither can hide what the other does.
var setups = []setup{
	{name: "pgx, a pool of 1", via: viaPGX, conns: 1},
	{
		name: "pgx, a pool of 2, serializable everywhere", via: viaPGX, conns: 2,
		params: map[string]string{"default_transaction_isolation": "serializable"},
	},
	{
		name: "pgx, a pool of 20 in another time zone, a name that sqlx does not know", via: viaPGX, conns: 20, hidden: true,
		params: map[string]string{"timezone": "Pacific/Kiritimati"},
	},
	{name: "pq, a pool of 1", via: viaPQ, conns: 1},
	{
		name: "pq, a pool of 2, serializable everywhere", via: viaPQ, conns: 2,
		params: map[string]string{"default_transaction_isolation": "serializable"},
	},
	{name: "pq, a pool of 20", via: viaPQ, conns: 20},
	{name: "pgx, PgBouncer", via: viaPGX, conns: 4, params: map[string]string{"default_query_exec_mode": "exec"}, by: pooled},
	{name: "pq, PgBouncer", via: viaPQ, conns: 4, params: map[string]string{"binary_parameters": "yes"}, by: pooled},
	{name: "pgx, partitions", via: viaPGX, conns: 4, by: partitioned},
	{name: "pq, partitions", via: viaPQ, conns: 4, by: partitioned},
	{
		name: "mysql, a pool of 1 that counts found rows, no sql_mode", via: viaMySQL, conns: 1,
		params: map[string]string{"clientFoundRows": "true", "sql_mode": "''"},
	},
	{
		name: "mysql, a pool of 2 in another time zone, interpolated parameters", via: viaMySQL, conns: 2,
		params: map[string]string{"time_zone": "'-08:00'", "parseTime": "true", "interpolateParams": "true"},
	},
	{name: "mysql, a pool of 20", via: viaMySQL, conns: 20},
	{
		name: "mysql, repeatable read everywhere, a name that sqlx does not know", via: viaMySQL, conns: 4, hidden: true,
		params: map[string]string{"tx_isolation": "'REPEATABLE-READ'"},
	},
	{
		name: "mysql, serializable everywhere, simultaneous assignments", via: viaMySQL, conns: 4,
		params: map[string]string{"tx_isolation": "'SERIALIZABLE'", "sql_mode": "'SIMULTANEOUS_ASSIGNMENT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"},
	},
	{
		name: "mysql 8, a pool of 1 that counts found rows, no sql_mode", via: viaMySQL8, conns: 1,
		params: map[string]string{"clientFoundRows": "true", "sql_mode": "''"},
	},
	{
		name: "mysql 8, a pool of 2 in another time zone, interpolated parameters", via: viaMySQL8, conns: 2,
		params: map[string]string{"time_zone": "'-08:00'", "parseTime": "true", "interpolateParams": "true"},
	},
	{
		name: "mysql 8, a pool of 20, repeatable read everywhere", via: viaMySQL8, conns: 20,
		params: map[string]string{"tx_isolation": "'REPEATABLE-READ'"},
	},
	{
		name: "mysql 8, serializable everywhere, simultaneous assignments, a name that sqlx does not know", via: viaMySQL8, conns: 4, hidden: true,
		params: map[string]string{"tx_isolation": "'SERIALIZABLE'", "sql_mode": "'SIMULTANEOUS_ASSIGNMENT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"},
	},
	{name: "sqlite, a pool of 1", via: viaSQLite, conns: 1},
	{name: "sqlite, a pool of 2, a name that sqlx does not know", via: viaSQLite, conns: 2, hidden: true},
	{name: "sqlite, a pool of 20", via: viaSQLite, conns: 20},
}

func (s setup) fresh(t *testing.T) *place {
	t.Helper()
	p := s.via.fresh(t, s.via).of(s.conns)
	for name, value := range s.params {
		p = p.with(name, value)
	}
	p.hidden = s.hidden
	if s.by != nil {
		p = s.by(t, p)
	}
	return p
}

// stage is a setup's storage, on which the rules of a suite play one after the other. Each opens handles of its own.
type stage struct {
	*place
	own   *sqlx.DB // the test's
	joins *sqlx.DB // where an application begins a transaction to join
}

func (s setup) stage(t *testing.T) *stage {
	t.Helper()
	p := s.fresh(t)
	own, _ := p.around().of(10).open(t)
	joins := own
	if p.direct != nil {
		joins, _ = p.of(2).open(t)
	}
	p.run(t, own, `CREATE TABLE {t}_effects (n INTEGER)`)
	return &stage{p, own, joins}
}

func (p *stage) empty(t *testing.T) {
	t.Helper()
	for _, table := range []string{"{t}", "{t}_effects"} {
		p.run(t, p.own, p.family().empties+table)
	}
}

func (p *stage) harness() backendtest.TxHarness[*sqlx.Tx] {
	own := p.own
	var taps []*tap
	return backendtest.TxHarness[*sqlx.Tx]{
		Harness: backendtest.Harness{
			Open: func(tb backendtest.TB) backend.Store {
				_, store, tap := p.tapped(tb)
				taps = append(taps, tap)
				return store
			},
			Advance: func(tb backendtest.TB, d time.Duration) { p.advance(tb, own, d) },
			Rounds:  10, // in each of the setups of a database; race_test.go has a hundred more
		},
		Effect: func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, p.sql(`INSERT INTO {t}_effects VALUES (1)`))
			return err
		},
		Effects: func(tb backendtest.TB) (n int) {
			if err := own.GetContext(tb.Context(), &n, p.sql(`SELECT count(*) FROM {t}_effects`)); err != nil {
				tb.Fatalf("count the effects: %v", err)
			}
			return n
		},
		Begin: func(tb backendtest.TB) backendtest.Transaction[*sqlx.Tx] {
			tx, err := p.joins.BeginTxx(tb.Context(), p.family().joins)
			if err != nil {
				tb.Fatalf("begin: %v", err)
			}
			return backendtest.Transaction[*sqlx.Tx]{Tx: tx, Commit: tx.Commit, Rollback: tx.Rollback}
		},
		OneWriter: !p.family().serves,
		BeforeCommit: func(_ backendtest.TB, do func()) {
			for _, tap := range taps {
				tap.before.Store(&do)
			}
		},
	}
}

func everySetup(t *testing.T, f func(*testing.T, func(*testing.T) backendtest.TxHarness[*sqlx.Tx])) {
	everySetupOf(t, setups, f)
}

func everySetupOf(t *testing.T, all []setup, f func(*testing.T, func(*testing.T) backendtest.TxHarness[*sqlx.Tx])) {
	t.Parallel()
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			stage := s.stage(t)
			f(t, func(rule *testing.T) backendtest.TxHarness[*sqlx.Tx] {
				stage.empty(rule)
				rule.Cleanup(func() {
					if rule.Failed() { // who knows what it has left
						stage = s.stage(t)
					}
				})
				return stage.harness()
			})
		})
	}
}

func TestStoreKeepsTheContract(t *testing.T) {
	everySetup(t, func(t *testing.T, harness func(*testing.T) backendtest.TxHarness[*sqlx.Tx]) {
		backendtest.Run(t, func(rule *testing.T) backendtest.Harness { return harness(rule).Harness })
	})
}

func TestTransactorKeepsTheContract(t *testing.T) {
	everySetup(t, func(t *testing.T, harness func(*testing.T) backendtest.TxHarness[*sqlx.Tx]) {
		backendtest.RunTransactor(t, harness)
	})
}
