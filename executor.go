package idem

import (
	"context"
	"time"
)

// Executor is a guard bound to the options of its calls, which are checked once: to calls in bytes what Op is to typed
// ones. It is made by Guard.Executor and safe for concurrent use.
type Executor struct {
	g *Guard
	s *settings
}

// Executor returns an executor for calls with the given options. Errors: an *OptionError, and ErrWrongGuarantee for a
// guard whose guarantee is Tx.
func (g *Guard) Executor(opts ...CallOption) (*Executor, error) {
	s, err := g.prepare(opts)
	if err != nil {
		return nil, err
	}
	return &Executor{g: g, s: s}, nil
}

// Exec is Guard.Exec under the executor's options.
func (e *Executor) Exec(ctx context.Context, call Call) (Outcome, error) {
	return e.ExecIn(ctx, new(Slot), call)
}

// Slot is room for what the engine gives to a store in a call. The zero Slot is ready, for one call; it must not be copied,
// nor used again. Who allocates something for each call anyway can put a Slot into it.
type Slot struct {
	claiming lateContext
	used     bool
}

// ExecIn is Exec with the room that it needs.
func (e *Executor) ExecIn(ctx context.Context, slot *Slot, call Call) (Outcome, error) {
	switch {
	case e == nil || e.g == nil:
		return Outcome{}, optionError("Executor", "an executor is made by Guard.Executor; this one is nil or zero")
	case slot.used:
		return Outcome{}, optionError("Slot", "it has served a call before")
	}
	if err := call.check(); err != nil {
		return Outcome{}, err
	}
	slot.used = true
	return e.g.exec(ctx, slot, e.s, &call)
}

// Policy is what calls go by.
type Policy struct {
	Guarantee Guarantee
	Lease     time.Duration
	Retention time.Duration
	MaxRun    time.Duration
	Wait      time.Duration
	MaxResult int // bytes
}

// Policy returns what the calls of e go by: for those who have to tell others, and for adapters that size their buffers.
func (e *Executor) Policy() Policy {
	s := e.s
	return Policy{
		Guarantee: s.guarantee, Lease: s.lease, Retention: s.retention, MaxRun: s.maxRun, Wait: s.wait, MaxResult: s.maxResult,
	}
}
