package memtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem/backend"
)

// ErrInjected is the error of a fault that names no other.
var ErrInjected = errors.New("memtest: injected fault")

// Op names a store's operation.
type Op uint8

// The operations that faults can hit and that a log shows.
const (
	OpBegin Op = iota + 1
	OpRenew
	OpComplete
	OpRelease
	OpHold
	OpCommit // the end of InTx, and Tx.Commit
	OpSettle
)

// String returns the operation's name.
func (op Op) String() string {
	names := [...]string{"none", "Begin", "Renew", "Complete", "Release", "Hold", "Commit", "Settle"}
	if int(op) < len(names) {
		return names[op]
	}
	return "invalid"
}

// Mode says how a fault hits a call.
type Mode uint8

// The modes. Delay may be joined to one of the others: memtest.Delay | memtest.LoseAck.
const (
	Fail    Mode = 1 << iota // nothing happens and the caller gets an error
	LoseAck                  // it takes effect, and the caller gets an error
	Delay                    // it happens later, unless the caller's context ends first
)

// Fault is a failure to come. The zero fields mean: the next call, once, Fail, ErrInjected.
//
// What Err wraps is looked at for OpCommit alone. With Fail the transaction is rolled back and the caller gets Err, be it
// backend.ErrConflict or backend.ErrCommitUnknown. With LoseAck it is committed, and what the caller gets wraps
// backend.ErrCommitUnknown and Err.
type Fault struct {
	Op    Op
	Nth   int // the first call that is hit, counted from the injection: 0 and 1 are the next one
	Count int // how many calls in a row are hit: 0 is one, negative is all that follow
	Mode  Mode
	Delay time.Duration // with Delay: how long the call waits before it happens or fails
	Err   error

	// Do, if it is not nil, is called on the caller's goroutine when a call is hit, before it waits, fails or happens:
	// for what a test wants to come in between. The store holds no lock then. With Do the zero Mode is none.
	Do func()
}

// Injected is a fault that waits or has fired. Its methods may be called concurrently.
type Injected struct {
	fault Fault
	store *Store
	seen  atomic.Int64
	fired atomic.Int64
}

// Inject makes calls fail as f says until it has fired as often as it may, or until it is removed. Several faults may
// wait at once: each counts for itself, their delays add up, and the first one that fails a call decides how. Inject
// panics on a fault without a known Op, on Fail together with LoseAck, and on a Delay without a duration (or the other
// way round), since a fault that never fires makes a test that proves nothing.
func (s *Store) Inject(f Fault) *Injected {
	if f.Mode == 0 && f.Do == nil {
		f.Mode = Fail
	}
	f.Nth, f.Count = max(f.Nth, 1), orOne(f.Count)
	if f.Err == nil {
		f.Err = ErrInjected
	}
	if problem := f.problem(); problem != "" {
		panic("memtest: Inject: " + problem)
	}
	i := &Injected{fault: f, store: s}
	s.instrument(func(in *instruments) { in.faults = append(in.faults, i) })
	return i
}

func orOne(count int) int {
	if count == 0 {
		return 1
	}
	return count
}

func (f Fault) problem() string {
	switch {
	case f.Op < OpBegin || f.Op > OpSettle:
		return "the fault has no known Op"
	case f.Mode > Fail|LoseAck|Delay:
		return "unknown Mode"
	case f.Mode&Fail != 0 && f.Mode&LoseAck != 0:
		return "a call cannot both fail and take effect: Fail or LoseAck"
	case (f.Mode&Delay != 0) != (f.Delay > 0):
		return "Mode says Delay and field Delay is not positive, or the other way round"
	default:
		return ""
	}
}

// Remove takes the fault away. It may be called more than once.
func (i *Injected) Remove() {
	i.store.instrument(func(in *instruments) {
		in.faults = without(in.faults, i)
	})
}

// Fired tells how many calls the fault has hit.
func (i *Injected) Fired() int { return int(i.fired.Load()) }

// hits counts a call and reports whether it is one of those that the fault hits.
func (i *Injected) hits(op Op) bool {
	if i.fault.Op != op {
		return false
	}
	n := int(i.seen.Add(1)) - i.fault.Nth
	if n < 0 || i.fault.Count > 0 && n >= i.fault.Count {
		return false
	}
	i.fired.Add(1)
	return true
}

// blow is what the faults do to one call.
type blow struct {
	mode  Mode // zero, Fail or LoseAck
	err   error
	delay time.Duration
	do    []func()
}

// wait is what comes before the call: the functions of the faults, and their delay.
func (b blow) wait(ctx context.Context) error {
	for _, do := range b.do {
		do()
	}
	if b.delay <= 0 {
		return nil
	}
	timer := time.NewTimer(b.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// failure is the error that the caller gets. It names the operation alone.
func (b blow) failure(op Op) error {
	if op == OpCommit && b.mode == LoseAck && !errors.Is(b.err, backend.ErrCommitUnknown) {
		return fmt.Errorf("memtest: %s: %w: %w", op, backend.ErrCommitUnknown, b.err)
	}
	return fmt.Errorf("memtest: %s: %w", op, b.err)
}
