package sqlbackend

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// How golang-migrate reads a name; goose takes any .sql file with a number before the first _.
var migrateName = regexp.MustCompile(`^([0-9]+)_(.*)\.(up|down)\.(.*)$`)

func TestEveryToolCanReadTheMigrations(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(Migrations, "migrations", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Migrations, name)
		if err != nil {
			return err
		}
		if m := migrateName.FindStringSubmatch(path.Base(name)); m == nil || m[3] != "up" {
			t.Errorf("%s: golang-migrate would not run it; and goose refuses a .down.sql as a second file of its version", name)
		}
		if !strings.HasPrefix(string(text), "-- +goose Up\n") || strings.Contains(string(text), "+goose Down") {
			t.Errorf("%s: goose wants its Up annotation, and golang-migrate would run what stands under a Down", name)
		}
		if strings.Count(string(text), ";") != strings.Count(string(text), ";\n") {
			t.Errorf("%s: Migrate splits statements at a ; that ends a line", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsAreNumberedFromOne(t *testing.T) {
	t.Parallel()
	d := SQLite(noCode)
	all, err := migrations(d)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if m.version != i+1 {
			t.Errorf("file %d has version %d", i+1, m.version)
		}
	}
	if v, err := latest(d); err != nil || v != len(all) {
		t.Errorf("latest = %d, %v; want %d", v, err, len(all))
	}
}

func TestMigrationsAreRunForTheTableOfTheOption(t *testing.T) {
	t.Parallel()
	d := SQLite(noCode)
	p := plan{table: table{schema: "app", name: "orders"}, users: &usersKey{table: "users", column: "name"}}
	all, err := migrations(d)
	if err != nil {
		t.Fatal(err)
	}
	got := p.statements(d, all[0].text)
	if len(got) != 3 {
		t.Fatalf("%d statements, want 3: %q", len(got), got)
	}
	for i, want := range []string{`CREATE TABLE IF NOT EXISTS "app"."orders" (`, `CREATE TABLE IF NOT EXISTS "app"."orders_schema" (`, `INSERT INTO "app"."orders_schema"`} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("statement %d is %q, want it to begin with %q", i, got[i], want)
		}
	}
	if !strings.Contains(got[0], `user_name   TEXT REFERENCES "users" ("name") ON DELETE CASCADE,`) {
		t.Errorf("the key to users is missing: %q", got[0])
	}
	p.users = nil
	if plain := strings.Join(p.statements(d, all[0].text), ";"); strings.Contains(plain, "REFERENCES") || strings.Contains(plain, usersMark) {
		t.Errorf("a key nobody asked for: %q", plain)
	}
}

func TestStatementsAreWrittenForTheirDialect(t *testing.T) {
	t.Parallel()
	s := newStatements(table{schema: "app", name: "order"}, sqliteDialect{}.words())
	for _, q := range []*query{
		s.look, s.claim, s.takeOver, s.abandon, s.renew, s.complete, s.release, s.hold, s.count, s.pruneExpired, s.pruneAbandoned,
		s.show, s.list, s.resolve, s.free, s.forgetExpired, s.forget, s.owned, s.forgetOwnExpired, s.forgetOwn,
	} {
		if !strings.Contains(q.text, `"app"."order"`) || strings.ContainsAny(q.text, "{}") {
			t.Errorf("unfinished statement: %s", q.text)
		}
	}
}
