// Package pgx opens a PostgreSQL database as a store for idem, with the driver github.com/jackc/pgx/v5 behind
// database/sql.
//
// Import it for its schemes, postgres and postgresql:
//
//	import _ "github.com/idem-go/idem/drivers/pgx"
//
//	h, err := backend.Open(ctx, "postgres://app@db.internal/app")
//
// or call [Open], which also returns the database, where the application keeps its tables in the same one and wants
// idem.DoTx. An application that has opened the pool itself passes [Dialect] to sqlbackend.New.
//
// pgx prepares each statement once on each connection and keeps it, which takes a round trip more at its first use. Its
// other ways (default_query_exec_mode) will do as well.
//
// A call that waits for another's answer is told of it on a connection beside the pool, which is there while somebody
// waits ([WithoutListen], [ListenOn]).
//
// # PgBouncer
//
// In transaction mode PgBouncer gives each transaction another connection of the server. Claims and transactions work
// through it: no state of a session is used, and locks end with their transactions. Three things do not: what was
// prepared is missing on the next connection (before PgBouncer 1.21), notifications arrive nowhere, and migrations should
// not go through it. So
//
//	postgres://app@bouncer/app?default_query_exec_mode=exec&migrate=false&listen=false
//
// with the modes exec, simple_protocol or cache_describe, and a migration on a direct data source when the program is
// deployed; or, where waiting should be prompt, [Open] with sqlbackend.WithoutMigrate and [ListenOn] a direct data source.
// A search_path in the data source is refused by PgBouncer: write sqlbackend.Table with its schema.
package pgx
