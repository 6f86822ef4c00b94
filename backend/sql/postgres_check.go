package sqlbackend

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// postgresSettings says what the values of a setting mean: nil where there is nothing to say.
var postgresSettings = map[string]func(value string) *backend.Finding{
	"pg_is_in_recovery": func(v string) *backend.Finding {
		return when(v == "true", backend.Error, "the server is a standby and refuses every claim: connect to the one that takes writes")
	},
	"transaction_read_only": func(v string) *backend.Finding {
		return when(v == "on", backend.Error, "every claim is refused: connect to the server that takes writes, or set default_transaction_read_only to off")
	},
	"fsync": func(v string) *backend.Finding {
		return when(v != "on", backend.Error, "a crash of the machine can destroy the whole database: set it to on")
	},
	"full_page_writes": func(v string) *backend.Finding {
		return when(v != "on", backend.Error, "a crash in the middle of a write can destroy rows: set it to on, unless the file system writes whole blocks")
	},
	"synchronous_commit": func(v string) *backend.Finding {
		return when(v == "off", backend.Warning, "a crash can lose the last claims and answers, so that what they stand for may run again: set it to on")
	},
	"default_transaction_isolation": func(v string) *backend.Finding {
		return when(v != "read committed", backend.Warning, "claims that meet are rolled back by the server and sent again, which costs round trips, "+
			"and a joined transaction may have to be repeated: set it to read committed for idem's connections")
	},
}

func when(is bool, s backend.Severity, advice string) *backend.Finding {
	if !is {
		return nil
	}
	return finding(s, advice)
}

func (e *postgresEngine) check(ctx context.Context) ([]backend.Finding, error) {
	rows, err := e.store.db.QueryContext(ctx, `SELECT 'pg_is_in_recovery', pg_is_in_recovery()::text UNION ALL
SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit',
'default_transaction_isolation', 'transaction_read_only') ORDER BY 1`)
	var found []backend.Finding
	err = each(rows, err, func(s scanner) error {
		var name, value string
		if err := s.Scan(&name, &value); err != nil {
			return err
		}
		if f := postgresSettings[name](value); f != nil {
			f.Setting, f.Value = name, value
			found = append(found, *f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return append(found, e.checkListener(ctx)...), nil
}

// version reads the table that the migrations keep.
func (postgresDialect) version(ctx context.Context, on sqlx.QueryerContext, t table) (int, error) {
	name := t.quoted(`"`, schemaSuffix)
	var there bool
	err := on.QueryRowxContext(ctx, `SELECT to_regclass($1::text) IS NOT NULL`, name).Scan(&there)
	if !there || err != nil {
		return 0, err
	}
	var version int
	err = on.QueryRowxContext(ctx, `SELECT coalesce(max(version), 0) FROM `+name).Scan(&version)
	return version, err
}

func (postgresDialect) references(k usersKey) string {
	return fmt.Sprintf(`REFERENCES "%s" ("%s") ON DELETE CASCADE`, k.table, k.column)
}

func (postgresDialect) keyed(ctx context.Context, on sqlx.QueryerContext, t table, k usersKey) (there bool, err error) {
	err = on.QueryRowxContext(ctx, `SELECT count(*) > 0 FROM pg_constraint AS c
JOIN pg_attribute AS mine ON mine.attrelid = c.conrelid AND mine.attnum = c.conkey[1]
JOIN pg_attribute AS theirs ON theirs.attrelid = c.confrelid AND theirs.attnum = c.confkey[1]
WHERE c.contype = 'f' AND c.confdeltype = 'c' AND cardinality(c.conkey) = 1 AND mine.attname = 'user_name'
AND c.conrelid = to_regclass($1::text) AND c.confrelid = to_regclass($2::text) AND theirs.attname = $3::text`,
		t.quoted(`"`, ""), `"`+k.table+`"`, k.column).Scan(&there)
	return there, err
}

// schemaThere reports whether the schema of the table exists, or any where it is not named.
func schemaThere(ctx context.Context, on sqlx.QueryerContext, t table) (there bool, err error) {
	text, args := `SELECT current_schema() IS NOT NULL`, []any{}
	if t.schema != "" {
		text, args = `SELECT to_regnamespace($1::text) IS NOT NULL`, []any{`"` + t.schema + `"`}
	}
	err = on.QueryRowxContext(ctx, text, args...).Scan(&there)
	return there, err
}
