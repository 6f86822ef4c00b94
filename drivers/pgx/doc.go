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
// pgx prepares each statement once on each connection and keeps it, which takes a round trip more at its first use. All
// its other ways (default_query_exec_mode) will do as well, among them those that a pooler like PgBouncer needs.
package pgx
