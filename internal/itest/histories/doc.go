// Package histories checks that stores are linearizable: that whatever several clients asked of a record and were told, side by
// side and with answers that were lost, could have been told by one record to which all of it happened one after the
// other, each between its call and its answer. It has tests only, and is never released.
//
// # The model
//
// The record is written down once more, from the contract of backend.Store, as a function from a record and an operation
// to a record and an answer. Porcupine (https://github.com/anishathalye/porcupine) looks for an order.
//
// An operation of whose outcome nothing is known, since the store failed, the network was cut or the client gave up,
// may have happened at any time from its call on, or never: to the checker it is one that has not returned.
//
// Time is an operation too. That it passes moves the clock of a store in memory, and elsewhere the times of the record, in
// one statement or script. It comes in units of ten minutes, and leases end half-way between two, so that the real time
// that a history takes makes no difference, and the model knows of every lease whether it is over.
//
// # Histories
//
// A plan follows from a seed: three to five clients with about a dozen calls between them, well behaved or not, who
// send calls again and now and then share a token, on one key or two, and a clock. In memory a scheduler in a
// synctest bubble chooses who comes next, so the seed tells the history too. On servers each client has a pool and a
// proxy of his own, and calls meet the faults of package proxy at a chosen message. On SQLite, which has no
// network, what is between the client and the store fails in its place.
//
// Broken stores show that a fault would be found.
//
// # Running
//
// IDEM_TEST_SEED names the seed of the first history. A failure prints the one to name, and the whole history; in memory
// the seed brings it back, elsewhere its plan, which is then played a hundred times. IDEM_TEST_TIMES multiplies how many
// histories there are, and -short divides it by ten. CONTRIBUTING.md has the commands of the long runs.
package histories
