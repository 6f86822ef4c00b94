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
	d := mysqlDialect{number: numberOf}
	for number, want := range map[uint16]class{
		1213: conflict, 1020: conflict, 3101: conflict, 1205: busy, 3572: busy, 1452: missingKey, 1062: refused, 1451: refused,
		4025: refused, 3819: refused, 1153: tooLarge,
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
	const no, asked, yes = "is needed", "give the option UntestedMySQL", ""
	for version, want := range map[string]string{
		"10.6.0-MariaDB":                  yes,
		"10.11.19-MariaDB-0+deb12u1":      yes,
		"11.4.2-MariaDB-log":              yes,
		"5.5.5-10.6.16-MariaDB-1:10.6.16": yes, // as a proxy repeats it
		"10.5.27-MariaDB":                 no,
		"5.5.68-MariaDB":                  no,
		"8.0.20":                          asked,
		"8.0.36-0ubuntu0.22.04.1":         asked,
		"8.4.0-commercial":                asked,
		"9.1.0":                           asked,
		"8.0.19":                          no,
		"5.7.44-log":                      no,
		"8.0.11-TiDB-v7.5.0":              no,
		"8.0.30-Vitess":                   no,
		"":                                no,
		"PostgreSQL 15.1":                 no,
		"99999999999999999999.0.0":        no,
	} {
		for _, untested := range []bool{false, true} {
			server, err := mysqlServerOf(version, untested)
			wanted := want
			if untested && want == asked {
				wanted = yes
			}
			if wanted != yes {
				if err == nil || !strings.Contains(err.Error(), wanted) {
					t.Errorf("%q: %v", version, err)
				}
				continue
			}
			directory := "migrations/mysql"
			if want == asked {
				directory = "migrations/mysql8"
			}
			if err != nil || server.migrations != directory {
				t.Errorf("%q: %v, with the schema of %s", version, err, server.migrations)
			}
		}
	}
}

func TestAServerThatRollsWholeTransactionsBackIsRefusedForThem(t *testing.T) {
	t.Parallel()
	e := &mysqlEngine{mysqlDialect: mysqlDialect{number: numberOf}, rollsBack: true}
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
		e := &mysqlEngine{mysqlDialect: mysqlDialect{number: numberOf}, store: &Store{}}
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

// mysqlServers are told by the directory of their schema.
var mysqlServers = map[string]mysqlServer{"mysql": mariaDB, "mysql8": mysql8}

func TestTheClaimsTextIsComplete(t *testing.T) {
	t.Parallel()
	for name, server := range mysqlServers {
		d := mysqlDialect{numberOf, server}
		s := &Store{config: config{table: table{schema: "app", name: "order"}}}
		s.records = &records{sql: newStatements(s.config.table, d.words())}
		e := d.engine(s).(*mysqlEngine)
		for _, q := range append(e.asks.needed(), e.lookAtOnce, e.lookAfter, e.probe, s.records.sql.bound) {
			if !strings.Contains(q.text, "`app`.`order`") || strings.ContainsAny(q.text, "{}") {
				t.Errorf("%s: unfinished statement: %s", name, q.text)
			}
		}
		single := s.pool.(mysqlPool).sweeps[s.records.sql.pruneExpired].single.do.text
		if strings.Count(single, "?") != 1 || !strings.Contains(single, "WHERE id = ? AND expires_at <= ") {
			t.Errorf("%s: a sweep's single statement is %s", name, single)
		}
	}
}

func TestAReceiptHasRoomForEveryAttempt(t *testing.T) {
	t.Parallel()
	var low, high backend.Token
	for i := range high {
		high[i] = 0xff
	}
	const most = 1<<31 - 1
	for _, token := range []backend.Token{low, high, backend.NewToken()} {
		first := receipt(token)
		if first <= most || first&most != 1 || first+most-1 < first {
			t.Errorf("the receipt %x leaves no room for attempts, or is one itself", first)
		}
	}
	if receipt(low) == receipt(high) {
		t.Error("two tokens have one receipt")
	}
}

func TestMySQLMigrationsAreOneStatementEach(t *testing.T) {
	t.Parallel()
	p := plan{table: table{schema: "app", name: "orders"}, users: &usersKey{table: "users", column: "name"}}
	for name, key := range map[string]string{
		"mysql":  "utf8mb4_nopad_bin REFERENCES `users` (`name`) ON DELETE CASCADE,",
		"mysql8": "utf8mb4_0900_bin ,\n    FOREIGN KEY (user_name) REFERENCES `users` (`name`) ON DELETE CASCADE\n)",
	} {
		d := mysqlDialect{numberOf, mysqlServers[name]}
		all, err := migrations(d)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range all {
			got := p.statements(d, m.text)
			if m.version != i+1 || len(got) != 1 {
				t.Fatalf("%s: file %d has version %d and %d statements", name, i+1, m.version, len(got))
			}
			if !strings.Contains(got[0], "`app`.`orders`") || !strings.Contains(got[0], fmt.Sprintf("COMMENT = 'idem schema %d'", i+1)) {
				t.Errorf("%s: file %d does not leave its version in the table's comment: %s", name, i+1, got[0])
			}
		}
		if first := p.statements(d, all[0].text)[0]; !strings.Contains(first, key) {
			t.Errorf("%s: the key to users is missing: %s", name, first)
		}
	}
	if err := MySQL(nil).valid(); err == nil {
		t.Error("MySQL needs its function")
	}
}
