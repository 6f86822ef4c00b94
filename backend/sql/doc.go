// Package sqlbackend keeps idem's records in a SQL database, through a [sqlx.DB] that the application opened.
//
//	db, err := sqlx.Open(…)
//	err = sqlbackend.Migrate(ctx, db, dialect)
//	store, err := sqlbackend.New(ctx, db, dialect)
//	guard, err := idem.New("orders", store)
//
// The dialect is an argument and never guessed from a driver's name, which is wrong for every wrapped driver. This
// package imports no driver either: what it has to know of a driver's errors the dialect is told. The packages under
// drivers/ put both together.
//
// # The table
//
// All guards share one table, idem_records unless [Table] says otherwise. Its primary key is the 32 byte id; it has no
// other index, since one on the expiry would cost every first run 1.1 to 1.5 times. The columns since, lease_until and
// expires_at hold milliseconds since 1970 on the database's clock, which takes every decision; a record that never
// expires holds the largest integer. A row whose expires_at has come is absent to every statement, whether or not
// [Store.Prune] has been there.
//
// # Waiting
//
// A call that waits for another's answer (idem.Wait) asks again and again, four times a second. On PostgreSQL a [Listener]
// has it told instead, within milliseconds of the commit, on one connection for all who wait in a process; the drivers'
// Open sees to that. A waiter marks its record, in the column waited, and what ends the claim notifies of marked records
// alone. A transaction's claim cannot be marked before it commits: those who wait for one ask.
//
// # Transactions
//
// [Store] is a [backend.Transactor] of *sqlx.Tx: with idem.DoTx the claim, the effect and the answer commit together.
// The function must write through the transaction that it is given. On SQLite, which has one writer, writing through
// the pool instead waits for the very transaction that waits for the function, until busy_timeout ends it.
//
// What the function returns reaches the caller as it is. What a COMMIT or a statement of the store's own is refused for
// keeps the server's message and its SQLState method, but neither the driver's type nor the fields beside the message,
// which repeat rows.
//
// On PostgreSQL a claim in a transaction takes a transaction's advisory lock for its record, so that a duplicate is told
// at once that it is in flight. What the claim of that transaction is, nobody can see yet: also another request with the
// same key is in flight then, and a mismatch only after the commit. A claim outside of a transaction has no such lock,
// and waits for an open transaction of the same record; idem keeps the two apart by a guard's guarantee.
//
// On MariaDB a claim in a transaction does not wait for a lock: a duplicate is told at once that it is in flight, also where
// it is another request with the same key, which nobody can see yet. On MySQL it waits in three cases, no longer than the
// session's innodb_lock_wait_timeout: where two insert the same record at the same moment, for a user's row under the
// foreign key, and in a transaction at SERIALIZABLE, where reading locks. A function that gets error 1213 must return it:
// the server has rolled the whole transaction back, and would take what follows as statements of their own.
package sqlbackend
