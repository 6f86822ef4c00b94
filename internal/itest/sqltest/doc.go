// Package sqltest runs what there is to say about backend/sql on real databases: the conformance suites, and a test for
// every trap that PostgreSQL, MariaDB, SQLite and their drivers set. It has tests only, and is never released.
//
// # Rows
//
// A via is a driver: pgx, lib/pq, go-sql-driver and modernc's. One more, "mysql 8", is go-sql-driver behind a disguise,
// through which MariaDB passes for a MySQL and takes MySQL's statements only. A test is written once and runs on each via
// that it concerns; what is true of one database alone is in a file named for it. The suites run on every row of setups:
// a via with a pool of some size, with settings of its connections, or behind a name that sqlx does not know.
//
// A place is one test's storage: a schema of PostgreSQL, a table in a database of MariaDB, a file of SQLite. {t} in a
// statement is its table, and what else a test needs has a name that begins with it. The rules of a suite take turns at
// one place of their setup, which is emptied between them, and open handles of their own: what a store does for the first
// time, such as preparing a statement, it does under each rule.
package sqltest
