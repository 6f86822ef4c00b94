package mutation

// inSQL is backend/sql. A fault of a statement that the dialects share is looked for on each of them.
var inSQL = table{module: "internal/itest", pkg: "sqltest", faults: append(sharedSQL, dialectSQL...)}

// sharedSQL are faults of the statements of all dialects, and of what decides by them.
var sharedSQL = []fault{
	{
		name:    "SQL: no token check on complete",
		file:    statements,
		right:   "answer = ?\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),\n		release",
		wrong:   "answer = ?\nWHERE id = ? AND (token = ? OR 1 = 1) AND state = 1 AND expires_at > {now}{ended}`),\n		release",
		foundBy: onSQL("T7 a stale owner's answer is not stored"),
	},
	{
		name:    "SQL: no state check on complete",
		file:    statements,
		right:   "answer = ?\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),\n		release",
		wrong:   "answer = ?\nWHERE id = ? AND token = ? AND expires_at > {now}{ended}`),\n		release",
		foundBy: onSQL("T6 a Complete that is sent again changes nothing", "T7 an answer for a record that was given up is lost"),
	},
	{
		name:    "SQL: complete brings an expired record back",
		file:    statements,
		right:   "answer = ?\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),\n		release",
		wrong:   "answer = ?\nWHERE id = ? AND token = ? AND state = 1{ended}`),\n		release",
		foundBy: onSQL("an expired record is Absent to its owner"),
	},
	{
		name:    "SQL: no token check on release",
		file:    statements,
		right:   "release: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND",
		wrong:   "release: q(`DELETE FROM {t} WHERE id = ? AND (token = ? OR 1 = 1) AND",
		foundBy: onSQL("T8 a release by a stale owner is lost"),
	},
	{
		name:    "SQL: no state check on release",
		file:    statements,
		right:   "release: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 1 AND",
		wrong:   "release: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND",
		foundBy: onSQL("T8 a release of what is not pending is lost"),
	},
	{
		name:    "SQL: release removes an expired record",
		file:    statements,
		right:   "release: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),",
		wrong:   "release: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 1{ended}`),",
		foundBy: onSQL("an expired record is Absent to its owner"),
	},
	{
		name:    "SQL: no token check on renew",
		file:    statements,
		right:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}`),",
		wrong:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND (token = ? OR 1 = 1) AND state = 1 AND expires_at > {now}`),",
		foundBy: onSQL("T4 a renewal by a stale owner is lost"),
	},
	{
		name:    "SQL: no state check on renew",
		file:    statements,
		right:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}`),",
		wrong:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND expires_at > {now}`),",
		foundBy: onSQL("T4 a renewal of what is not pending is lost"),
	},
	{
		name:    "SQL: renew brings an expired record back",
		file:    statements,
		right:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}`),",
		wrong:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1`),",
		foundBy: onSQL("an expired record is Absent to its owner"),
	},
	{
		name:    "SQL: a renewal lets a claim that holds expire",
		file:    statements,
		right:   "expires_at = CASE WHEN hold = 1 THEN {never} ELSE {now} + ? END, note = CASE",
		wrong:   "expires_at = {now} + ?, note = CASE",
		foundBy: onSQL("a pending record that holds never expires"),
	},
	{
		name:    "SQL: no token check on hold",
		file:    statements,
		right:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),",
		wrong:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND (token = ? OR 1 = 1) AND state = 1 AND expires_at > {now}{ended}`),",
		foundBy: onSQL("T8' a hold by a stale owner is lost"),
	},
	{
		name:    "SQL: no state check on hold",
		file:    statements,
		right:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),",
		wrong:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND expires_at > {now}{ended}`),",
		foundBy: onSQL("T8' a hold of what is not pending is lost"),
	},
	{
		name:    "SQL: hold brings an expired record back",
		file:    statements,
		right:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}{ended}`),",
		wrong:   "note = CASE WHEN ? = '' THEN note ELSE ? END\nWHERE id = ? AND token = ? AND state = 1{ended}`),",
		foundBy: onSQL("an expired record is Absent to its owner"),
	},
	{
		name:    "SQL: a hold that is sent again is lost",
		file:    "backend/sql/records.go",
		right:   `return kept(seen.under(backend.Unknown, token)), err`,
		wrong:   `return kept(seen.under(backend.Unknown, token) && false), err`,
		foundBy: onSQL("T8' a hold that is sent again is kept again"),
	},
	{
		name:    "SQL: a completion that is sent again is lost",
		file:    "backend/sql/records.go",
		right:   `case seen.under(backend.Done, token):`,
		wrong:   `case false:`,
		foundBy: onSQL("T6 a Complete that is sent again is kept again"),
	},
	{
		name:    "SQL: a stale owner is told that its own answer was kept",
		file:    "backend/sql/records.go",
		right:   `		return r.tell(ctx, on, id, seen, seen.replay())`,
		wrong:   `		return kept(true), nil`,
		foundBy: onSQL("T7 a stale owner is told the stored answer"),
	},
	{
		name:    "SQL: a stale owner is shown another request's answer",
		file:    "backend/sql/records.go",
		right:   `seen != nil && seen.state == backend.Done && seen.fingerprint == c.Fingerprint:`,
		wrong:   `seen != nil && seen.state == backend.Done:`,
		foundBy: onSQL("T7 a stale owner is not told another request's answer"),
	},
	{
		name:    "SQL: what the database counts does not matter",
		file:    "backend/sql/records.go",
		right:   `return rows > 0, err`,
		wrong:   `return rows >= 0, err`,
		foundBy: onSQL("T4 a renewal by a stale owner is lost", "T7 a stale owner's answer is not stored"),
	},
	{
		name:    "SQL: no fingerprint check",
		file:    "backend/sql/verdict.go",
		right:   `case r.fingerprint != c.Fingerprint:`,
		wrong:   `case false:`,
		foundBy: onSQL("T10 another request is a mismatch before an answer replays", "T2 a takeover needs the same fingerprint"),
	},
	{
		name:    "SQL: a claim that is sent again is another's",
		file:    "backend/sql/verdict.go",
		right:   `case r.token == c.Token:`,
		wrong:   `case false:`,
		foundBy: onSQL("T1' a Begin that is sent again is claimed again"),
	},
	{
		name:    "SQL: an unknown outcome is not held",
		file:    "backend/sql/verdict.go",
		right:   `case r.state == backend.Unknown:`,
		wrong:   `case false:`,
		foundBy: onSQL("an Unknown record is held"),
	},
	{
		name:    "SQL: a claim that holds is taken over",
		file:    "backend/sql/verdict.go",
		right:   `case r.hold || c.Hold:`,
		wrong:   `case c.Hold:`,
		foundBy: onSQL("T3 a lapsed claim that holds becomes Unknown"),
	},
	{
		name:    "SQL: a claim that holds takes over",
		file:    "backend/sql/verdict.go",
		right:   `case r.hold || c.Hold:`,
		wrong:   `case r.hold:`,
		foundBy: onSQL("T3 a claim that holds makes a lapsed record Unknown"),
	},
	{
		name:    "SQL: a takeover keeps the token",
		file:    statements,
		right:   "takeOver: q(`UPDATE {t} SET token = ?, hold = 0,",
		wrong:   "takeOver: q(`UPDATE {t} SET token = CASE WHEN 1 = 1 THEN token ELSE ? END, hold = 0,",
		foundBy: onSQL("T2 a takeover locks the old owner out"),
	},
	{
		name:    "SQL: no token check on takeover",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND fingerprint = ? AND state = 1 AND hold = 0 AND lease_until <= {now}",
		wrong:   "WHERE id = ? AND (token = ? OR 1 = 1) AND fingerprint = ? AND state = 1 AND hold = 0 AND lease_until <= {now}",
		foundBy: meanwhile("T2 it was taken over and has lapsed again"),
	},
	{
		name:    "SQL: no state check on takeover",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND fingerprint = ? AND state = 1 AND hold = 0 AND lease_until <= {now}",
		wrong:   "WHERE id = ? AND token = ? AND fingerprint = ? AND hold = 0 AND lease_until <= {now}",
		foundBy: meanwhile("T2 its owner completed"),
	},
	{
		name:    "SQL: the lease is not compared at a takeover",
		file:    statements,
		right:   "state = 1 AND hold = 0 AND lease_until <= {now} AND expires_at > {now}`),",
		wrong:   "state = 1 AND hold = 0 AND expires_at > {now}`),",
		foundBy: meanwhile("T2 its owner renewed"),
	},
	{
		name:    "SQL: what has expired is taken over",
		file:    statements,
		right:   "hold = 0 AND lease_until <= {now} AND expires_at > {now}`),",
		wrong:   "hold = 0 AND lease_until <= {now}`),",
		foundBy: meanwhile("T2 it expired"),
	},
	{
		name:    "SQL: what has expired is given up",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND state = 1 AND lease_until <= {now} AND expires_at > {now}`),\n\n",
		wrong:   "WHERE id = ? AND token = ? AND state = 1 AND lease_until <= {now}`),\n\n",
		foundBy: meanwhile("T3 it expired"),
	},
	{
		name:    "SQL: no state check where a claim is given up",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND state = 1 AND lease_until <= {now} AND expires_at > {now}`),\n\n",
		wrong:   "WHERE id = ? AND token = ? AND lease_until <= {now} AND expires_at > {now}`),\n\n",
		foundBy: meanwhile("T3 its owner completed"),
	},
	{
		name:    "SQL: the lease is not compared where a claim is given up",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND state = 1 AND lease_until <= {now} AND expires_at > {now}`),\n\n",
		wrong:   "WHERE id = ? AND token = ? AND state = 1 AND expires_at > {now}`),\n\n",
		foundBy: meanwhile("T3 its owner renewed"),
	},
	{
		name:    "SQL: prune without its WHERE",
		file:    statements,
		right:   "pruneExpired: q(`DELETE FROM {t} WHERE {within} AND expires_at <= {now}`),",
		wrong:   "pruneExpired: q(`DELETE FROM {t} WHERE {within}`),",
		foundBy: onSQL("T12 pruning leaves what is alive", "T12 pruning never removes an Unknown record"),
	},
	{
		name:    "SQL: prune gives up what is not pending",
		file:    statements,
		right:   "WHERE {within} AND state = 1 AND hold = 1 AND lease_until <= {now}`),",
		wrong:   "WHERE {within} AND hold = 1 AND lease_until <= {now}`),",
		foundBy: onSQL("T12 pruning leaves what is alive"),
	},
	{
		name:    "SQL: prune gives up a claim that may run again",
		file:    statements,
		right:   "WHERE {within} AND state = 1 AND hold = 1 AND lease_until <= {now}`),",
		wrong:   "WHERE {within} AND state = 1 AND lease_until <= {now}`),",
		foundBy: onSQL("T12 pruning leaves what is alive"),
	},
	{
		name:    "SQL: prune gives up a claim whose lease is live",
		file:    statements,
		right:   "WHERE {within} AND state = 1 AND hold = 1 AND lease_until <= {now}`),",
		wrong:   "WHERE {within} AND state = 1 AND hold = 1`),",
		foundBy: onSQL("T12 pruning leaves what is alive"),
	},
	{
		name:    "SQL: no token check on resolve",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND state = 3`),\n		free",
		wrong:   "WHERE id = ? AND (token = ? OR 1 = 1) AND state = 3`),\n		free",
		foundBy: []string{"TestAHeldRecordThatChangesBeforeItIsResolved"},
	},
	{
		name:    "SQL: no state check on resolve",
		file:    statements,
		right:   "WHERE id = ? AND token = ? AND state = 3`),\n		free",
		wrong:   "WHERE id = ? AND token = ?`),\n		free",
		foundBy: []string{"TestAHeldRecordThatIsResolvedMeanwhileKeepsItsAnswer"},
	},
	{
		name:    "SQL: no token check on free",
		file:    statements,
		right:   "free: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 3`),",
		wrong:   "free: q(`DELETE FROM {t} WHERE id = ? AND (token = ? OR 1 = 1) AND state = 3`),",
		foundBy: []string{"TestAHeldRecordThatChangesBeforeItIsResolved"},
	},
	{
		name:    "SQL: no state check on free",
		file:    statements,
		right:   "free: q(`DELETE FROM {t} WHERE id = ? AND token = ? AND state = 3`),",
		wrong:   "free: q(`DELETE FROM {t} WHERE id = ? AND token = ?`),",
		foundBy: []string{"TestAHeldRecordThatIsResolvedMeanwhileKeepsItsAnswer"},
	},
	{
		name:    "SQL: an operator's reference is not compared",
		file:    "backend/sql/inspect.go",
		right:   ` || !ref.Matches(seen.token) {`,
		wrong:   ` {`,
		foundBy: onSQL("T13 Resolve misses a later record", "T13 Free misses a later record"),
	},
	{
		name:    "SQL: all of a guard's users are forgotten with one",
		file:    statements,
		right:   "forgetOwn:        q(`DELETE FROM {t} WHERE {within} AND guard_name = ? AND user_name = ?{ended}`),",
		wrong:   "forgetOwn:        q(`DELETE FROM {t} WHERE {within} AND guard_name = ? AND (user_name = ? OR 1 = 1){ended}`),",
		foundBy: onSQL("ForgetUser removes the records of one user under one guard"),
	},
	{
		name:    "SQL: a user is forgotten under every guard",
		file:    statements,
		right:   "forgetOwn:        q(`DELETE FROM {t} WHERE {within} AND guard_name = ? AND user_name = ?{ended}`),",
		wrong:   "forgetOwn:        q(`DELETE FROM {t} WHERE {within} AND (guard_name = ? OR 1 = 1) AND user_name = ?{ended}`),",
		foundBy: onSQL("ForgetUser removes the records of one user under one guard"),
	},
	{
		name:    "SQL: what has expired is shown",
		file:    statements,
		right:   "show: q(`SELECT ` + showColumns + ` FROM {t} WHERE id = ? AND expires_at > {now}`),",
		wrong:   "show: q(`SELECT ` + showColumns + ` FROM {t} WHERE id = ?`),",
		foundBy: onSQL("Lookup does not show an expired record"),
	},
	{
		name:    "SQL: what has expired is listed",
		file:    statements,
		right:   "FROM {t} WHERE id > ? AND expires_at > {now}\n",
		wrong:   "FROM {t} WHERE id > ?\n",
		foundBy: onSQL("List does not show an expired record"),
	},
	{
		name:    "SQL: a transaction commits in spite of run's error",
		file:    "backend/sql/tx.go",
		right:   "	if err := body(tx); err != nil {\n		return err",
		wrong:   "	if err := body(tx); err != nil {\n		_ = tx.Commit()\n		return err",
		foundBy: onSQLTx("T14 an error rolls everything back"),
	},
	{
		name:    "SQL: a transaction commits in spite of a panic",
		file:    "backend/sql/tx.go",
		right:   "_ = tx.Rollback() // body's error",
		wrong:   "_ = tx.Commit() // body's error",
		foundBy: onSQLTx("T14 a panic rolls everything back", "T14 an exit rolls everything back"),
	},
	{
		name:    "SQL: run runs though the claim was not won",
		file:    "backend/sql/tx.go",
		right:   `if g.Verdict != backend.Claimed {`,
		wrong:   `if false {`,
		foundBy: []string{"TestTransactionsWithOneKeyRunOnce"},
	},
	{
		name:    "SQL: a COMMIT follows its caller's context",
		file:    "backend/sql/tx.go",
		right:   `own, cancel := context.WithCancel(context.WithoutCancel(ctx))`,
		wrong:   `own, cancel := context.WithCancel(ctx)`,
		foundBy: append(byTx(bySQLite, "a context that ends after run returned undoes nothing"), byTx(byPGX, "a context that ends after run returned undoes nothing")...),
	},
	{
		name:    "SQL: a COMMIT without answer is an error like any other",
		file:    "backend/sql/tx.go",
		right:   `err = wrapped(backend.ErrCommitUnknown, err)`,
		wrong:   ``,
		foundBy: []string{"TestACommitWithoutAnswerIsSettled"},
	},
	{
		name:    "SQL: whatever is there is taken for what a transaction committed",
		file:    "backend/sql/records.go",
		right:   `if seen == nil || seen.token != token {`,
		wrong:   `if seen == nil {`,
		foundBy: onSQLTx("Settle finds that a transaction was rolled back"),
	},
	{
		name:    "SQL: a Nested that failed is kept",
		file:    "backend/sql/joined.go",
		right:   `undone := j.run(ctx, "ROLLBACK TO SAVEPOINT "+name)`,
		wrong:   `undone := error(nil)`,
		foundBy: onSQLTx("Nested rolls an error back to its savepoint"),
	},
}

const statements = "backend/sql/statements.go"

// The ways to reach each database on which a fault is looked for.
const (
	bySQLite  = "sqlite, a pool of 20"
	byPGX     = "pgx, a pool of 20 in another time zone, a name that sqlx does not know"
	byMariaDB = "mysql, a pool of 20"
	byMySQL8  = "mysql 8, a pool of 20, repeatable read everywhere"
)

// onSQL are rules of the suite of stores, on each database.
func onSQL(rules ...string) []string { return onEach("TestStoreKeepsTheContract", rules) }

// onSQLTx are rules of the suite of transactions, on each database.
func onSQLTx(rules ...string) []string { return onEach("TestTransactorKeepsTheContract", rules) }

func onEach(test string, rules []string) (all []string) {
	for _, by := range []string{bySQLite, byPGX, byMariaDB, byMySQL8} {
		all = append(all, under(test+"/"+by, rules)...)
	}
	return all
}

// meanwhile are cases in which a record changes between a look and the write.
func meanwhile(cases ...string) []string {
	return under("TestARecordThatChangesBetweenTheLookAndTheWrite", cases)
}
