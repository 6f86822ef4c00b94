package sqlbackend

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// Check says which settings of the database weaken or break what a record promises, as backend.Checker says. On SQLite
// it asks one connection of the pool; they are all alike where the data source name sets them.
func (s *Store) Check(ctx context.Context) ([]backend.Finding, error) {
	found, err := s.engine.check(ctx)
	return found, failure(ctx, "check", err, s.engine.classify)
}

// verdict on one pragma: nil where there is nothing to say about the value.
type sqliteSetting struct {
	pragma string
	find   func(value string) *backend.Finding
}

var sqliteSettings = []sqliteSetting{
	{"journal_mode", func(v string) *backend.Finding {
		switch strings.ToLower(v) {
		case "wal":
			return nil
		case "off", "memory":
			return finding(backend.Error, "a crash can destroy the whole database: set it to WAL")
		}
		return finding(backend.Warning, "readers and the writer wait for each other, so that a replay can fail on a busy file: set it to WAL")
	}},
	{"synchronous", func(v string) *backend.Finding {
		switch v {
		case "0":
			return finding(backend.Error, "a power cut can destroy the database: set it to FULL")
		case "1":
			return finding(backend.Warning, "a power cut can lose the last claims and answers, so that what they stand for may run again: set it to FULL")
		}
		return nil
	}},
	{"busy_timeout", func(v string) *backend.Finding {
		if v == "0" {
			return finding(backend.Warning, "a write that meets another process's fails at once: set some seconds on every connection")
		}
		return nil
	}},
	{"foreign_keys", func(v string) *backend.Finding {
		if v == "0" {
			return finding(backend.Warning, "a foreign key to the table of users is not enforced: set it to ON on every connection")
		}
		return nil
	}},
}

func (e *sqliteEngine) check(ctx context.Context) ([]backend.Finding, error) {
	conn, err := e.store.db.Connx(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var found []backend.Finding
	for _, setting := range sqliteSettings {
		var value string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+setting.pragma).Scan(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", setting.pragma, err)
		}
		if f := setting.find(value); f != nil {
			f.Setting, f.Value = setting.pragma, value
			found = append(found, *f)
		}
	}
	return found, nil
}

func finding(s backend.Severity, advice string) *backend.Finding {
	return &backend.Finding{Severity: s, Advice: advice}
}

// version reads the table that the migrations keep.
func (d sqliteDialect) version(ctx context.Context, on sqlx.QueryerContext, t table) (int, error) {
	var there bool
	err := on.QueryRowxContext(ctx, `SELECT count(*) > 0 FROM pragma_table_info(?, ?)`, t.name+schemaSuffix, t.schemaOr("main")).Scan(&there)
	if !there || err != nil {
		return 0, err
	}
	var version int
	err = on.QueryRowxContext(ctx, `SELECT coalesce(max(version), 0) FROM `+t.quoted(`"`, schemaSuffix)).Scan(&version)
	return version, err
}

func (sqliteDialect) references(k usersKey) string {
	return fmt.Sprintf(`REFERENCES "%s" ("%s") ON DELETE CASCADE`, k.table, k.column)
}

func (sqliteDialect) keyed(ctx context.Context, on sqlx.QueryerContext, t table, k usersKey) (there bool, err error) {
	err = on.QueryRowxContext(ctx, `SELECT count(*) > 0 FROM pragma_foreign_key_list(?, ?)
WHERE "from" = 'user_name' AND lower("table") = lower(?) AND lower("to") = lower(?) AND on_delete = 'CASCADE'`,
		t.name, t.schemaOr("main"), k.table, k.column).Scan(&there)
	return there, err
}
