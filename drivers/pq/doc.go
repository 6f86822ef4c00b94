// Package pq opens a PostgreSQL database as a store for idem, with the driver github.com/lib/pq.
//
// It registers no scheme: postgres belongs to drivers/pgx, and a program may link both. Call [Open], or pass [Dialect]
// to sqlbackend.New with a pool that the application has opened itself.
//
// lib/pq takes two round trips for a statement with parameters that is not prepared, so the store prepares its own once
// on each connection. Where a pooler like PgBouncer in transaction mode stands between, that does not work: then say
// sqlbackend.WithoutPrepare, and binary_parameters=yes in the data source, which has lib/pq send all at once. What else
// PgBouncer asks for the documentation of drivers/pgx says.
//
// A call that waits for another's answer is told of it on a connection beside the pool, which is there while somebody
// waits ([WithoutListen], [ListenOn]).
package pq
