package mutation

// dialectSQL are faults of one database's own statements.
var dialectSQL = []fault{
	{
		name:    "PostgreSQL: now() in place of the statement's time",
		file:    "backend/sql/postgres.go",
		right:   "`(date_part('epoch', statement_timestamp()) * 1000)::bigint`",
		wrong:   "`(date_part('epoch', now()) * 1000)::bigint`",
		foundBy: under("TestTheClockGoesOnInATransaction", []string{"pgx", "postgres"}),
	},
	{
		name:    "PostgreSQL: an answer never expires",
		file:    "backend/sql/postgres_claim.go",
		right:   `if raw.expiry > 0 {`,
		wrong:   `if true {`,
		foundBy: by(byPGX, "a done record past its retention is Absent"),
	},
	{
		name:    "PostgreSQL: a claim writes over what is there",
		file:    "backend/sql/postgres_claim.go",
		right:   `ON CONFLICT (id) DO NOTHING RETURNING 1)`,
		wrong:   `ON CONFLICT (id) DO UPDATE SET token = excluded.token RETURNING 1)`,
		foundBy: []string{"TestOfTwentyGoroutinesOneClaims/pgx"},
		tries:   5,
	},
	{
		name:    "PostgreSQL: a claim waits for the transaction that has its record",
		file:    "backend/sql/postgres_claim.go",
		right:   "return strings.NewReplacer(\"{gate}\", gateText, \"{open}\", \"(SELECT open FROM gate)\", \"{shut}\", shutText).Replace(claimText)",
		wrong:   "return strings.NewReplacer(\"{gate}\", strings.Replace(gateText, \"# \", \"+ pg_backend_pid() # \", 1), \"{open}\", \"(SELECT open FROM gate)\", \"{shut}\", shutText).Replace(claimText)",
		foundBy: byTx(byPGX, "a duplicate of a transaction is in flight at once"),
	},
	{
		name:    "PostgreSQL: what is written over needs no gate",
		file:    "backend/sql/postgres_claim.go",
		right:   `if open, err := enter(); err != nil || !open {`,
		wrong:   `if open, err := true, error(nil); err != nil || !open {`,
		foundBy: byTx(byPGX, "a duplicate of a takeover in a transaction is in flight at once"),
	},
	{
		name:    "PostgreSQL: settle does not wait",
		file:    "backend/sql/postgres_tx.go",
		right:   `if _, err := (within{tx}).exec(ctx, e.wait, gate(id)); err != nil {`,
		wrong:   `if false {`,
		foundBy: byTx(byPGX, "Settle waits for the transaction's end"),
	},
	{
		name:    "PostgreSQL: what a transaction gave up is not given up once it is rolled back",
		file:    "backend/sql/postgres_tx.go",
		right:   `if err == nil && abandoned {`,
		wrong:   `if err == nil && abandoned && false {`,
		foundBy: []string{"TestAnAbandonedHoldIsHeldByATransactionToo/pgx"},
	},
	{
		name:    "MariaDB: an answer never expires",
		file:    "backend/sql/mysql_claim.go",
		right:   `if r.expiry > 0 {`,
		wrong:   `if true {`,
		foundBy: append(by(byMariaDB, "a done record past its retention is Absent"), by(byMySQL8, "a done record past its retention is Absent")...),
	},
	{
		name:    "MariaDB: a claim writes over what is there",
		file:    "backend/sql/mysql_returning.go",
		right:   "text := mysqlClaimText(`1`, `id = id`)",
		wrong:   "text := mysqlClaimText(`1`, `token = VALUES(token)`)",
		foundBy: by(byMariaDB, "T11 a live claim is in flight"),
	},
	{
		name:    "MariaDB: what has expired is claimed by all who saw it",
		file:    "backend/sql/mysql_claim.go",
		right:   "WHERE id = ? AND token = ? AND expires_at <= {now}`",
		wrong:   "WHERE id = ? AND (token = ? OR 1 = 1)`",
		foundBy: append(by(byMariaDB, "of simultaneous claims to an expired record one is Claimed"), by(byMySQL8, "of simultaneous claims to an expired record one is Claimed")...),
		tries:   5,
	},
	{
		name:    "MariaDB: a duplicate of a transaction is an error",
		file:    "backend/sql/mysql_claim.go",
		right:   `case round > 0:`,
		wrong:   `case false:`,
		foundBy: append(byTx(byMariaDB, "a duplicate of a transaction is in flight at once"), byTx(byMySQL8, "a duplicate of a transaction is in flight at once")...),
	},
	{
		name:    "MariaDB: settle does not wait",
		file:    "backend/sql/mysql_tx.go",
		right:   "e.lookAfter = e.query(d.server.patiently + look + ` FOR UPDATE` + d.server.noWait)",
		wrong:   "e.lookAfter = e.query(d.server.patiently + look)",
		foundBy: append(byTx(byMariaDB, "Settle waits for the transaction's end"), byTx(byMySQL8, "Settle waits for the transaction's end")...),
	},
	{
		name:    "MariaDB: a deadlock is the caller's",
		file:    "backend/sql/mysql_claim.go",
		right:   `case err != nil && !(how.alone && what == conflict):`,
		wrong:   `case err != nil:`,
		foundBy: []string{"TestADeadlockIsRetriedInside"},
	},
	{
		name:    "MariaDB: another record's row answers",
		file:    "backend/sql/mysql_claim.go",
		right:   `if !bytes.Equal(id, c.ID[:]) {`,
		wrong:   `if false {`,
		foundBy: []string{"TestAnotherUniqueIndexNeverAnswersForAnotherRecord"},
	},
	{
		name:    "MariaDB: an answer is told before it is on disk",
		file:    "backend/sql/mysql_disk.go",
		right:   `if d.has(r) {`,
		wrong:   `if true {`,
		foundBy: under("TestAnAnswerIsOnDiskBeforeAnybodyIsTold", []string{"mysql/a duplicate", "mysql/a transaction that is settled", "mysql 8/a duplicate of DoTx"}),
	},
	{
		name:    "MariaDB: what is told in a transaction counts as on disk",
		file:    "backend/sql/mysql_disk.go",
		right:   "if _, joins := on.(within); joins { //",
		wrong:   "if false { //",
		foundBy: under("TestAnAnswerThatATransactionIsToldIsOnDiskWithIt", []string{"mysql"}),
	},
	{
		name:    "MariaDB: what is stored in a transaction counts as on disk",
		file:    "backend/sql/mysql_disk.go",
		right:   "if _, joins := on.(within); !joins {",
		wrong:   "if true {",
		foundBy: under("TestWhoStoresAnAnswerKnowsWhenItIsOnDisk", []string{"mysql"}),
	},
	{
		name:    "MariaDB: an answer that has gone is told",
		file:    "backend/sql/mysql_disk.go",
		right:   "case !there:",
		wrong:   "case !there && false:",
		foundBy: under("TestAnAnswerThatGoesBeforeItIsOnDiskIsNotTold", []string{"mysql/a claim", "mysql/a transaction that is settled"}),
	},
	{
		name:    "MySQL 8: a claim is believed by RowsAffected",
		file:    "backend/sql/mysql8_claim.go",
		right:   `if got == first {`,
		wrong:   `if n, _ := res.RowsAffected(); n > 0 || got == first {`,
		foundBy: by("mysql 8, a pool of 1 that counts found rows, no sql_mode", "T11 a live claim is in flight"),
	},
	{
		name:    "MySQL 8: a claim writes over what is there",
		file:    "backend/sql/mysql8_claim.go",
		right:   "`attempt = LAST_INSERT_ID(attempt)`",
		wrong:   "`token = VALUES(token)`",
		foundBy: by(byMySQL8, "T11 a live claim is in flight"),
	},
	{
		name:    "SQLite: an answer never expires",
		file:    statements,
		right:   "look: q(`SELECT ` + lookColumns + ` FROM {t} WHERE id = ? AND expires_at > {now}`),",
		wrong:   "look: q(`SELECT ` + lookColumns + ` FROM {t} WHERE id = ?`),",
		foundBy: by(bySQLite, "a done record past its retention is Absent"),
	},
	{
		name:    "SQLite: a claim writes over what is there",
		file:    statements,
		right:   "WHERE r.expires_at <= {now}`),",
		wrong:   "WHERE r.expires_at <= {now} OR 1 = 1`),",
		foundBy: append(meanwhile("T1 somebody else claimed"), byTx(bySQLite, "Join replays what is committed")...),
	},
	{
		name:    "SQLite: settle does not wait",
		file:    "backend/sql/sqlite_tx.go",
		right:   `if err := d.patiently(ctx, conn, "BEGIN IMMEDIATE"); err != nil {`,
		wrong:   `if err := d.patiently(ctx, conn, "BEGIN"); err != nil {`,
		foundBy: byTx(bySQLite, "Settle waits for the transaction's end"),
	},
}

// by are rules of the suite of stores, on one database.
func by(setup string, rules ...string) []string {
	return under("TestStoreKeepsTheContract/"+setup, rules)
}

// byTx are rules of the suite of transactions, on one database.
func byTx(setup string, rules ...string) []string {
	return under("TestTransactorKeepsTheContract/"+setup, rules)
}
