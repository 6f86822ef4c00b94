package mutation

// sharedInSQL is what concurrent calls share with GroupCommit.
var sharedInSQL = table{module: "internal/itest", pkg: "sqltest", faults: []fault{
	{
		name:    "PostgreSQL, shared: no token check",
		file:    "backend/sql/postgres_group.go",
		right:   `.Replace(groupWrite))`,
		wrong:   `.Replace(strings.Replace(groupWrite, "token = a.token AND ", "", 1)))`,
		foundBy: together(byPGX, "T4 a renewal by a stale owner is lost", "T7 a stale owner's answer is not stored", "T8 a release by a stale owner is lost"),
	},
	{
		name:    "PostgreSQL, shared: no state check",
		file:    "backend/sql/postgres_group.go",
		right:   `.Replace(groupWrite))`,
		wrong:   `.Replace(strings.Replace(groupWrite, "state = 1 AND ", "", 1)))`,
		foundBy: together(byPGX, "T6 a Complete that is sent again changes nothing", "T8 a release of what is not pending is lost"),
	},
	{
		name:    "PostgreSQL, shared: an expired record is its owner's",
		file:    "backend/sql/postgres_group.go",
		right:   `.Replace(groupWrite))`,
		wrong:   `.Replace(strings.Replace(groupWrite, " AND expires_at > {now}", "", 1)))`,
		foundBy: together(byPGX, "an expired record is Absent to its owner"),
	},
	{
		name:    "PostgreSQL, shared: what others have locked is waited for",
		file:    "backend/sql/postgres_group.go",
		right:   `.Replace(groupWrite))`,
		wrong:   `.Replace(strings.Replace(groupWrite, " SKIP LOCKED", "", 1)))`,
		foundBy: under("TestOnPostgresNothingSharedWaitsForALock", []string{"pgx"}),
	},
	{
		name:    "shared: one statement has two claims of one record",
		file:    "backend/sql/transition.go",
		right:   `return slices.CompactFunc(ts, func(a, b *transition) bool { return a.id == b.id })`,
		wrong:   `return ts`,
		foundBy: under("TestOfManyThatAskTogetherForOneRecordOneClaims", []string{"pgx"}),
		tries:   5,
	},
	{
		name:    "MariaDB, shared: no token check",
		file:    "backend/sql/mysql_group.go",
		right:   "`) AND token = `",
		wrong:   "`) AND '' <> `",
		foundBy: together(byMariaDB, "T4 a renewal by a stale owner is lost", "T7 a stale owner's answer is not stored", "T8 a release by a stale owner is lost"),
	},
	{
		name:    "MariaDB, shared: no state check",
		file:    "backend/sql/mysql_group.go",
		right:   "` END AND state = 1 AND expires_at > {now}`",
		wrong:   "` END AND expires_at > {now}`",
		foundBy: together(byMariaDB, "T6 a Complete that is sent again changes nothing", "T8 a release of what is not pending is lost"),
	},
	{
		name:    "MariaDB, shared: an expired record is its owner's",
		file:    "backend/sql/mysql_group.go",
		right:   "` END AND state = 1 AND expires_at > {now}`",
		wrong:   "` END AND state = 1`",
		foundBy: together(byMariaDB, "an expired record is Absent to its owner"),
	},
	{
		name:    "SQLite, shared: what was not committed is taken for done",
		file:    "backend/sql/sqlite_group.go",
		right:   `return // whatever became of it, each finds out`,
		wrong:   `_ = err`,
		foundBy: []string{"TestOnSQLiteWhatIsSharedIsOneCommit"},
	},
}}

// together are rules of the suite of stores, on one database, with what is shared.
func together(setup string, rules ...string) []string {
	return under("TestStoreKeepsTheContractTogether/"+setup, rules)
}
