package sqlbackend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/idem-go/idem/backend"
)

// mysqlSetting is a value that is asked for, and what there is to say where it is not safe.
type mysqlSetting struct {
	name, ask string
	safe      func(value string) bool
	found     *backend.Finding
}

func mysqlIs(good string) func(string) bool {
	return func(value string) bool { return strings.EqualFold(value, good) }
}

func mysqlIsNot(bad string) func(string) bool {
	return func(value string) bool { return !strings.EqualFold(value, bad) }
}

// A replica's settings of the binary log are said only where there is one, with IF(@@log_bin, …).
var mysqlChecks = []mysqlSetting{
	{
		"innodb_flush_log_at_trx_commit", `SELECT @@global.innodb_flush_log_at_trx_commit`, mysqlIs("1"),
		finding(backend.Error, "a power cut can lose the last second of claims and answers, so that what they stand for may run again: set it to 1"),
	},
	{
		"innodb_doublewrite", `SELECT @@global.innodb_doublewrite`, func(v string) bool { return !slices.Contains([]string{"0", "OFF", "DETECT_ONLY"}, strings.ToUpper(v)) },
		finding(backend.Warning, "a power cut can destroy a page, unless the file system writes pages whole: set it to ON"),
	},
	{
		"sync_binlog", `SELECT IF(@@global.log_bin, @@global.sync_binlog, 1)`, mysqlIs("1"),
		finding(backend.Warning, "a power cut can leave replicas without the last claims and answers, and one of them may become the primary: set it to 1"),
	},
	{
		"binlog_format", `SELECT IF(@@global.log_bin, @@global.binlog_format, 'ROW')`, mysqlIsNot("STATEMENT"),
		finding(backend.Error, "the server refuses writes at READ COMMITTED, in which DoTx and Prune run: set it to ROW or MIXED"),
	},
	{
		"read_only", `SELECT IF(@@global.read_only, 'ON', 'OFF')`, mysqlIs("OFF"),
		finding(backend.Error, "nothing can be claimed: use the address of the primary"),
	},
	{
		"innodb_rollback_on_timeout", `SELECT IF(@@global.innodb_rollback_on_timeout, 'ON', 'OFF')`, mysqlIs("OFF"),
		finding(backend.Error, "a claim that finds its duplicate in flight would roll the caller's transaction back, so DoTx and JoinTx are refused: set it to OFF"),
	},
	{
		"isolation level", `SELECT @@session.{isolation}`, mysqlIs("READ-COMMITTED"),
		finding(backend.Warning, "a transaction of the application's that begins with it and joins may read what is old, or meet more deadlocks: "+
			"begin it at READ COMMITTED, or set {isolation}='READ-COMMITTED' for every connection"),
	},
	{
		"storage engine of the table", `SELECT ENGINE FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`, mysqlIs("InnoDB"),
		finding(backend.Error, "it has no transactions and may lose rows in a crash: make it InnoDB"),
	},
	{
		"type of the column id", `SELECT COLUMN_TYPE FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND COLUMN_NAME = 'id'`, mysqlIs("binary(32)"),
		finding(backend.Error, "a text type compares by a collation, which merges records, and a shorter one cuts ids off: make it BINARY(32)"),
	},
}

// mysql8Checks are of the servers where a statement cannot have a lock wait of its own.
var mysql8Checks = []mysqlSetting{{
	"innodb_lock_wait_timeout", `SELECT @@session.innodb_lock_wait_timeout`,
	func(v string) bool { seconds, err := strconv.Atoi(v); return err == nil && seconds <= 5 },
	finding(backend.Warning, "a claim that meets a locked row waits so many seconds, also after its caller has left, and then claims for nobody: "+
		"set it to 1 for every connection"),
}}

func (e *mysqlEngine) check(ctx context.Context) ([]backend.Finding, error) {
	conn, err := e.store.db.Connx(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var all []backend.Finding
	words := strings.NewReplacer("{isolation}", e.server.isolation)
	for _, s := range slices.Concat(mysqlChecks, e.server.checks) {
		var args []any
		if strings.Contains(s.ask, "?") {
			args = []any{e.store.config.table.schema, e.store.config.table.name}
		}
		var value string
		err := conn.QueryRowContext(ctx, words.Replace(s.ask), args...).Scan(&value)
		if number, _ := e.number(err); number == mysqlUnknown {
			continue // what a later server does not have any more cannot be set wrong
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if !s.safe(value) {
			f := *s.found
			f.Setting, f.Value, f.Advice = s.name, value, words.Replace(f.Advice)
			all = append(all, f)
		}
	}
	return all, nil
}
