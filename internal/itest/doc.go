// Package itest proves on real storage, with real processes, what the other modules' tests prove in memory: that the
// guarantees hold when processes are killed and paused, that one key runs once however many ask, and that nothing
// secret comes out. It has tests only, and is never released. They need a Unix.
//
// # Backends
//
// Every test of processes and callers runs on every row of the table systems. A backend that joins it says how its storage is made and opened,
// and how effects are counted in it; nothing else here knows which backend it is.
//
// The kit of the HTTP adapters runs on every row too, behind each router; for that a backend also says, in clocks, how
// its time is moved.
//
// # Processes
//
// Processes are children of the test binary, which TestMain turns into a child where the environment says so. A child
// reads orders from its standard input and writes reports to its standard output, both a line of JSON each. It stops
// at a named point when its order says so, reports that, and goes on when it is told to; that is where it is killed.
// The points are in fn, and in a store that stands around the real one; the product has no hooks for tests. A child
// ends with its standard input, so none outlives its parent.
//
// # Redis
//
// Package redisserver starts Redis servers, Clusters and groups under Sentinels of a test's own, which it may kill. What
// needs no more than a server's answers uses the one that IDEM_TEST_REDIS names.
//
// # Servers and clocks
//
// Package sqlserver does the same for PostgreSQL and MariaDB, with durable settings, and package wallclock gives any of
// them a clock that jumps. A load is callers at work meanwhile, two for each key, whose every answer is asked for again
// afterwards.
//
// # Deadlines
//
// That a killed attempt blocks its key for no more than its lease and a second is checked as it is promised. What the
// machine itself stood still meanwhile, as a clock of ours sees by the scheduler and the disk, is not counted.
//
// # Counts
//
// IDEM_TEST_TIMES multiplies how many kills, stops and rounds there are, and -short divides them by ten. The last lines
// say how many there were on each backend, as package proof has it, and ./test adds up those of all packages. A kill at a named
// point is an attempt's; several attempts share a process. CONTRIBUTING.md has the commands of the long runs.
//
// What concerns backend/sql alone, its suites and the traps of each database and driver, is in the package sqltest, and what
// several clients of one record are told, whatever happens on the way, in the package histories.
package itest
