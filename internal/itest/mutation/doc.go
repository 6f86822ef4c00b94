// Package mutation shows that the tests can fail: it puts faults into the library, one at a time, and demands that the test
// named for each finds it. It has tests only, and is never released.
//
// # Tables
//
// A fault is a piece of a file, what stands there instead, and who has to notice: *_faults_test.go are the tables, one for
// each package whose tests are run. The piece must stand in its file exactly once, so a table cannot outlive the code it is
// about. To add a fault, add a row; to change code that a row quotes, change the row.
//
// # How it is done
//
// Production code knows nothing of this. `go test -overlay` builds the tests of a package once, from files in which every
// fault of its table is present and sleeps: a function with a fault has a twin in which the fault is real, and calls it if
// the environment names that fault. So one build serves a table, and every process has one fault at most. Each test is run
// twice: without a fault it must pass, and with its own it must fail, as a test fails: a build that breaks, a process that
// dies or hangs before the test has failed, and a skip do not count.
package mutation
