// Package sqltest runs what there is to say about backend/sql on real databases: the conformance suites, and a test for
// every trap that PostgreSQL, MariaDB, SQLite and their drivers set. It has tests only, and is never released.
//
// # Rows
//
// A via is a driver: pgx, lib/pq, go-sql-driver and modernc's. A test is written once and runs on each via that it
// concerns; what is true of one database alone is in a file named for it. The suites run on every row of setups: a via
// with a pool of some size, with settings of its connections, or behind a name that sqlx does not know.
//
// A place is one test's storage: a schema of PostgreSQL, a table in a database of MariaDB, a file of SQLite. {t} in a
// statement is its table, and what else a test needs has a name that begins with it.
package sqltest
