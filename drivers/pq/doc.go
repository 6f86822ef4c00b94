// Package pq opens a PostgreSQL database as a store for idem, with the driver github.com/lib/pq.
//
// It registers no scheme: postgres belongs to drivers/pgx, and a program may link both. Call [Open], or pass [Dialect]
// to sqlbackend.New with a pool that the application has opened itself.
//
// lib/pq takes two round trips for a statement with parameters that is not prepared, so the store prepares its own once
// on each connection. Where a pooler like PgBouncer in transaction mode stands between, that does not work: then use
// sqlbackend.Postgres without Prepare, and lib/pq's binary_parameters=yes, which has it send all at once.
package pq
