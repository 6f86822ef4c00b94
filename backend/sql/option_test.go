package sqlbackend

import (
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

func TestTableNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"idem_records":          `"idem_records"`,
		"_":                     `"_"`,
		"Order":                 `"Order"`,
		"app.records":           `"app"."records"`,
		strings.Repeat("a", 56): `"` + strings.Repeat("a", 56) + `"`,
	} {
		got, err := parseTable(name)
		if err != nil || got.quoted(`"`, "") != want || got.String() != name {
			t.Errorf("parseTable(%q) = %v, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", ".", "a.", ".a", "a.b.c", "1a", "a b", "a-b", `a"b`, "a;b", "ä", "a\x00", "a\n", strings.Repeat("a", 57), strings.Repeat("a", 64) + ".b",
	} {
		if got, err := parseTable(name); err == nil {
			t.Errorf("parseTable(%q) = %v, want an error", name, got)
		}
	}
}

func TestEveryWrongOptionIsNamed(t *testing.T) {
	t.Parallel()
	for want, option := range map[string]Option{
		`option Table: "a b"`:  Table("a b"),
		"option PruneStep: 0":  PruneStep(0),
		"option PruneStep: -1": PruneStep(-1),
		"option PruneStep: 10": PruneStep(100_001),
		"option PrunePause: -": PrunePause(-1),
		"option PrunePause: 1": PrunePause(time.Minute + 1),
		"option 2 of New":      nil,
	} {
		_, err := New(t.Context(), &sqlx.DB{}, SQLite(noCode), WithoutReadable(), option)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q in it", err, want)
		}
	}
	for want, option := range map[string]MigrateOption{
		`option Table: "a b"`:    Table("a b"),
		`option UsersKey: "a.b"`: UsersKey("a.b", "id"),
		`option UsersKey: ""`:    UsersKey("users", ""),
		"option 1 of Migrate":    nil,
	} {
		err := Migrate(t.Context(), &sqlx.DB{}, SQLite(noCode), option)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Migrate returned %v, want %q in it", err, want)
		}
	}
}

func TestWhatIsRequiredIsNamed(t *testing.T) {
	t.Parallel()
	for want, given := range map[string]struct {
		db *sqlx.DB
		d  Dialect
	}{
		"db is nil":                {nil, SQLite(noCode)},
		"the dialect is nil":       {&sqlx.DB{}, nil},
		"the driver's error codes": {&sqlx.DB{}, SQLite(nil)},
	} {
		_, err := New(t.Context(), given.db, given.d)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q in it", err, want)
		}
		err = Migrate(t.Context(), given.db, given.d)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Migrate returned %v, want %q in it", err, want)
		}
	}
}

func TestJoinNeedsATransaction(t *testing.T) {
	t.Parallel()
	for _, tx := range []*sqlx.Tx{nil, {}} {
		if _, err := new(Store).Join(tx); err == nil {
			t.Error("Join took no transaction for one")
		}
	}
}

func noCode(error) (int, bool) { return 0, false }
