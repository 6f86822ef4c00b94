// Package resources proves that calls leave nothing behind: no goroutine, no timer, no connection and no memory, however
// many keys there were and however many callers waited. It has tests only. They run one after the other, since they count
// what the whole process has.
//
// Memory is measured by the key: what the heap has grown by between an early and the last round of calls with keys of
// their own, whose records are gone by then. Anything kept for a key would be larger than the bound. IDEM_TEST_TIMES
// multiplies the rounds, which makes a soak of it.
package resources
