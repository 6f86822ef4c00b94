package sqlbackend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/idem-go/idem/backend"
)

type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

func TestPostgresErrorClasses(t *testing.T) {
	t.Parallel()
	failed := errors.New("the transaction had failed")
	d := postgresDialect{PostgresDriver{RolledBack: func(err error) bool { return errors.Is(err, failed) }}}
	for state, want := range map[string]class{
		"40001": conflict, "40P01": conflict, "23503": missingKey, "54000": tooLarge,
		"23505": refused, "P0001": refused, "25006": refused, "25P02": refused,
		"40003": unclassified, "08006": unclassified, "57P01": unclassified, "53200": unclassified, "XX000": unclassified,
	} {
		if got := d.classify(fmt.Errorf("wrapped: %w", stateError(state))); got != want {
			t.Errorf("state %s is of class %d, want %d", state, got, want)
		}
	}
	if got := d.classify(fmt.Errorf("wrapped: %w", failed)); got != refused {
		t.Errorf("a COMMIT of what had failed is of class %d, want %d", got, refused)
	}
	if got := (postgresDialect{}).classify(failed); got != unclassified {
		t.Errorf("an error of the driver's own is of class %d", got)
	}
}

func TestPostgresErrorsAreExplainedWithoutTheirDetail(t *testing.T) {
	t.Parallel()
	if err := explained(stateError("25006")); !strings.Contains(err.Error(), "standby or read-only") || stateOf(err) != "25006" {
		t.Errorf("a read-only server became %v", err)
	}
	err := explained(fmt.Errorf("wrapped: %w", stateError("23503")))
	if errors.As(err, new(stateError)) || stateOf(err) != "23503" || err.Error() != "wrapped: state 23503" {
		t.Errorf("a broken constraint became %#v", err)
	}
	if err := explained(stateError("42P01")); !errors.As(err, new(stateError)) {
		t.Errorf("another error became %#v", err)
	}
	if err := explained(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestPostgresLocksDiffer(t *testing.T) {
	t.Parallel()
	seen := map[int64]string{}
	for name, n := range map[string]int64{
		"a gate":          gate(backend.ID{1}),
		"another gate":    gate(backend.ID{2}),
		"the migrations'": lockNumber("idem/migrate/v1"),
		"two parts":       lockNumber("a", "bc"),
		"other parts":     lockNumber("ab", "c"),
	} {
		if other, taken := seen[n]; taken {
			t.Errorf("%s is %s", name, other)
		}
		seen[n] = name
	}
}

func TestPostgresStepsAreWholeBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows    int
		density float64
		want    int64
	}{
		{1000, 0, 1000}, {1000, 30, 33}, {1000, 20, 50}, {1, 20, 1}, {1000, 0.001, 1000}, {100_000, 1, 100_000},
	} {
		if got := blocksFor(c.rows, c.density); got != c.want {
			t.Errorf("%d rows at %v a block are %d blocks, want %d", c.rows, c.density, got, c.want)
		}
	}
}

func TestPostgresStatementsAskForTheirOwnTime(t *testing.T) {
	t.Parallel()
	w := postgresDialect{}.words()
	all := newStatements(table{name: defaultTable}, w)
	for _, q := range []*query{
		all.look, all.takeOver, all.complete, all.renew, all.hold, all.pruneExpired, all.show, all.list, all.release,
		{text: w.fill(table{name: defaultTable}, postgresClaim(false))},
		{text: w.fill(table{name: defaultTable}, postgresClaim(true))},
	} {
		if !strings.Contains(q.text, "statement_timestamp()") || strings.Contains(q.text, "now()") || strings.ContainsAny(q.text, "?{}") {
			t.Errorf("statement_timestamp() must stand in it, now() and marks not at all:\n%s", q.text)
		}
	}
}

func TestTxIsolationTakesThreeLevels(t *testing.T) {
	t.Parallel()
	for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable} {
		var c config
		if err := TxIsolation(level).configure(&c); err != nil || c.isolation != level {
			t.Errorf("%v: %v", level, err)
		}
	}
	for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelSnapshot} {
		if err := TxIsolation(level).configure(new(config)); err == nil || !strings.Contains(err.Error(), "option TxIsolation") {
			t.Errorf("%v was not refused by name: %v", level, err)
		}
	}
	e := &postgresEngine{store: &Store{}}
	if got := e.options().Isolation; got != sql.LevelReadCommitted {
		t.Errorf("without the option it is %v", got)
	}
	e.store.config.isolation = sql.LevelSerializable
	if got := e.options().Isolation; got != sql.LevelSerializable {
		t.Errorf("with the option it is %v", got)
	}
}

func TestARoundThatIsNoConflictIsTheLast(t *testing.T) {
	t.Parallel()
	e, calls := &postgresEngine{store: &Store{}}, 0
	err := e.write(t.Context(), func(context.Context, session) error { calls++; return stateError("42P01") })
	if calls != 1 || stateOf(err) != "42P01" {
		t.Errorf("it was called %d times and ended with %v", calls, err)
	}
}
