package memtest

import (
	"context"
	"slices"
	"sync"

	"github.com/idem-go/idem/backend"
)

// instruments is what a test attached to a store. A value is never changed once calls can see it.
type instruments struct {
	faults []*Injected
	log    *callLog
}

// instrument replaces the instruments by a changed copy, or by nil where nothing is left, so that a store without any
// pays one load a call.
func (s *Store) instrument(change func(*instruments)) {
	for {
		old := s.instruments.Load()
		next := &instruments{}
		if old != nil {
			next.faults, next.log = slices.Clone(old.faults), old.log
		}
		change(next)
		if len(next.faults) == 0 && next.log == nil {
			next = nil
		}
		if s.instruments.CompareAndSwap(old, next) {
			return
		}
	}
}

func without(faults []*Injected, i *Injected) []*Injected {
	return slices.DeleteFunc(faults, func(f *Injected) bool { return f == i })
}

// around runs do as the faults allow, and logs it.
func (in *instruments) around(ctx context.Context, op Op, id backend.ID, do func() (backend.Grant, error)) (backend.Grant, error) {
	g, err := in.strike(op).around(ctx, op, do)
	in.log.add(Call{Op: op, ID: id.Short(), Verdict: g.Verdict, Err: err})
	return g, err
}

func (b blow) around(ctx context.Context, op Op, do func() (backend.Grant, error)) (backend.Grant, error) {
	if err := b.wait(ctx); err != nil {
		return backend.Grant{}, err
	}
	if b.mode == Fail {
		return backend.Grant{}, b.failure(op)
	}
	g, err := do()
	if err == nil && b.mode == LoseAck {
		return backend.Grant{}, b.failure(op)
	}
	return g, err
}

// strike asks every fault about a call, since each counts for itself.
func (in *instruments) strike(op Op) blow {
	var b blow
	for _, i := range in.faults {
		if !i.hits(op) {
			continue
		}
		b.delay += i.fault.Delay
		if i.fault.Do != nil {
			b.do = append(b.do, i.fault.Do)
		}
		if mode := i.fault.Mode &^ Delay; b.mode == 0 && mode != 0 {
			b.mode, b.err = mode, i.fault.Err
		}
	}
	return b
}

// Call is one call as the log keeps it: never a key, a user, a token or an answer.
type Call struct {
	Op      Op
	ID      string // the first 8 hexadecimal digits of the record's id; empty for Commit
	Verdict backend.Verdict
	Err     error
}

// callLog is nil where no log is kept.
type callLog struct {
	mu    sync.Mutex
	calls []Call
}

func (l *callLog) add(c Call) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
}

// StartLog begins a new, empty log of the calls that the store answers. Calls inside transactions are logged when they
// are made, whether the transaction commits or not. The log grows without bound: it is for tests.
func (s *Store) StartLog() {
	s.instrument(func(in *instruments) { in.log = &callLog{} })
}

// Calls returns the calls since StartLog, oldest first, and none where no log is kept.
func (s *Store) Calls() []Call {
	in := s.instruments.Load()
	if in == nil || in.log == nil {
		return nil
	}
	in.log.mu.Lock()
	defer in.log.mu.Unlock()
	return slices.Clone(in.log.calls)
}
