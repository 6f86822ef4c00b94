package sqlbackend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/idem-go/idem/backend"
)

type mysqlError uint16

func (e mysqlError) Error() string { return fmt.Sprint("number ", uint16(e)) }

func numberOf(err error) (uint16, bool) {
	var e mysqlError
	ok := errors.As(err, &e)
	return uint16(e), ok
}

func TestMySQLErrorClasses(t *testing.T) {
	t.Parallel()
	d := mysqlDialect{numberOf}
	for number, want := range map[uint16]class{
		1213: conflict, 1020: conflict, 1205: busy, 1452: missingKey, 1062: refused, 1451: refused, 4025: refused, 1153: tooLarge,
		1290: unclassified, 1836: unclassified, 1045: unclassified,
	} {
		if got := d.classify(fmt.Errorf("wrapped: %w", mysqlError(number))); got != want {
			t.Errorf("number %d is of class %d, want %d", number, got, want)
		}
	}
	if got := d.classify(errors.New("another")); got != unclassified {
		t.Errorf("another error is of class %d", got)
	}
	if got := d.classify(nil); got != unclassified {
		t.Errorf("no error is of class %d", got)
	}
}

func TestOnlyAServerWithTheStatementsIsTaken(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"10.6.0-MariaDB":                  true,
		"10.11.19-MariaDB-0+deb12u1":      true,
		"11.4.2-MariaDB-log":              true,
		"5.5.5-10.6.16-MariaDB-1:10.6.16": true, // as a proxy repeats it
		"10.5.27-MariaDB":                 false,
		"5.5.68-MariaDB":                  false,
		"8.0.36":                          false,
		"8.4.0-commercial":                false,
		"":                                false,
	} {
		if err := mariaDB(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestAServerThatRollsWholeTransactionsBackIsRefusedForThem(t *testing.T) {
	t.Parallel()
	e := &mysqlEngine{mysqlDialect: mysqlDialect{numberOf}, rollsBack: true}
	e.store = &Store{engine: e}
	if _, err := e.inTx(t.Context(), backend.Claim{}, nil); !errors.Is(err, errRollsBack) {
		t.Errorf("InTx: %v", err)
	}
	if _, err := e.beginIn(t.Context(), nil, backend.Claim{}); !errors.Is(err, errRollsBack) {
		t.Errorf("Begin in a joined transaction: %v", err)
	}
}

func TestWriteIsTriedAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	for number, want := range map[mysqlError]int{1213: rounds, 1205: rounds, 1020: rounds, 1290: 1} {
		e := &mysqlEngine{mysqlDialect: mysqlDialect{numberOf}, store: &Store{}}
		tries := 0
		err := e.write(t.Context(), func(context.Context, session) error {
			tries++
			return number
		})
		if !errors.Is(err, number) || tries != want {
			t.Errorf("number %d: %d tries, %v; want %d", number, tries, err, want)
		}
	}
}

func TestTheClaimsTextIsComplete(t *testing.T) {
	t.Parallel()
	d := mysqlDialect{numberOf}
	s := &Store{config: config{table: table{schema: "app", name: "order"}}}
	s.records = &records{sql: newStatements(s.config.table, d.words())}
	e := d.engine(s).(*mysqlEngine)
	for _, q := range []*query{e.claimAtOnce, e.claimPatiently, e.lookAtOnce, e.lookAfter, e.probe, s.records.sql.bound} {
		if !strings.Contains(q.text, "`app`.`order`") || strings.ContainsAny(q.text, "{}") {
			t.Errorf("unfinished statement: %s", q.text)
		}
	}
	p := s.pool.(mysqlPool)
	single := p.sweeps[s.records.sql.pruneExpired].single.text
	if strings.Count(single, "?") != 1 || !strings.Contains(single, "WHERE id = ? AND expires_at <= ") {
		t.Errorf("a sweep's single statement is %s", single)
	}
}

func TestMySQLMigrationsAreOneStatementEach(t *testing.T) {
	t.Parallel()
	d := MySQL(numberOf)
	all, err := migrations(d)
	if err != nil {
		t.Fatal(err)
	}
	p := plan{table: table{schema: "app", name: "orders"}, users: &usersKey{table: "users", column: "name"}}
	for i, m := range all {
		got := p.statements(d, m.text)
		if m.version != i+1 || len(got) != 1 {
			t.Fatalf("file %d has version %d and %d statements", i+1, m.version, len(got))
		}
		if !strings.Contains(got[0], "`app`.`orders`") || !strings.Contains(got[0], fmt.Sprintf("COMMENT = 'idem schema %d'", i+1)) {
			t.Errorf("file %d does not leave its version in the table's comment: %s", i+1, got[0])
		}
	}
	if first := p.statements(d, all[0].text)[0]; !strings.Contains(first, "nopad_bin REFERENCES `users` (`name`) ON DELETE CASCADE,") {
		t.Errorf("the key to users is missing: %s", first)
	}
	if err := MySQL(nil).valid(); err == nil {
		t.Error("MySQL needs its function")
	}
}
