package idem

import (
	"time"

	"github.com/idem-go/idem/internal/bounds"
)

// GuardOption configures a guard, in New. A wrong one makes New fail with an *OptionError that names it.
type GuardOption interface{ applyGuard(*Guard) error }

// CallOption configures one call, in Do, For and Exec, over the guard's defaults. A wrong one makes the call fail with
// an *OptionError that names it, before the store is touched.
type CallOption interface{ applyCall(*settings) error }

// Option goes into New, where it sets the default of every call, and into a call, where it overrides that.
type Option interface {
	GuardOption
	CallOption
}

type guardOption func(*Guard) error

func (o guardOption) applyGuard(g *Guard) error { return o(g) }

type callOption func(*settings) error

func (o callOption) applyCall(s *settings) error { return o(s) }

type option func(*settings) error

func (o option) applyGuard(g *Guard) error   { return o(&g.defaults) }
func (o option) applyCall(s *settings) error { return o(s) }

// Guarantee says what a guard promises about an attempt that was lost: its process crashed, hung or was cut off. It is
// itself the option: New("payouts", store, idem.Hold).
type Guarantee uint8

const (
	// Rerun: one stored answer; after a crash the function may run again. This is the default.
	Rerun Guarantee = iota
	// Hold: at most one run that did not itself say that nothing happened. A lost attempt becomes unknown, for a person
	// or a reconciler to resolve.
	Hold
	// Tx: effect, claim and answer commit together. Only DoTx and JoinTx.
	Tx
)

// String returns the guarantee's name.
func (gt Guarantee) String() string {
	switch gt {
	case Rerun:
		return "Rerun"
	case Hold:
		return "Hold"
	case Tx:
		return "Tx"
	}
	return "invalid"
}

func (gt Guarantee) applyGuard(g *Guard) error {
	if gt > Tx {
		return optionError("Guarantee", "%d is none of Rerun, Hold and Tx", gt)
	}
	g.defaults.guarantee = gt
	return nil
}

// settings are what one call goes by. A guard's defaults are shared by its calls and never change after New.
type settings struct {
	guarantee  Guarantee
	lease      time.Duration
	retention  time.Duration
	maxRun     time.Duration
	wait       time.Duration
	maxResult  int
	onError    func(error) Disposition
	codec      Codec
	errorCodec ErrorCodec
	project    *projection
	operation  string
	detached   bool
}

func defaults() settings {
	return settings{
		lease:     30 * time.Second,
		retention: 24 * time.Hour,
		maxRun:    5 * time.Minute,
		maxResult: 1 << 20,
		codec:     JSON,
	}
}

// with returns the guard's defaults changed by opts.
func (g *Guard) with(opts []CallOption) (*settings, error) {
	if len(opts) == 0 {
		return &g.defaults, nil
	}
	s := g.defaults
	for _, o := range opts {
		if o == nil {
			return nil, optionError("CallOption", "it is nil")
		}
		if err := o.applyCall(&s); err != nil {
			return nil, err
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &s, nil
}

// check looks at the options together; each alone was checked when it was applied.
func (s *settings) check() error {
	if s.maxRun < s.lease {
		return optionError("MaxRun", "%v is shorter than the lease, %v: an attempt would be ended before its claim", s.maxRun, s.lease)
	}
	return nil
}

const maxDuration = 10 * 365 * 24 * time.Hour

func duration(name string, d, least time.Duration, set func(*settings)) Option {
	return option(func(s *settings) error {
		if d < least || d > maxDuration {
			return optionError(name, "%v is not between %v and %v", d, least, maxDuration)
		}
		set(s)
		return nil
	})
}

// Lease is how long a silent claim is honoured: default 30 s, at least 1 s. It is renewed at a third of it while fn
// runs, so it bounds how long a crash blocks a key, not how long fn may run.
func Lease(d time.Duration) Option {
	return duration("Lease", d, bounds.MinLease, func(s *settings) { s.lease = d })
}

// Retention is how long a stored answer replays, counted from its completion: default 24 h, at least 1 s. After it the
// same key runs again.
func Retention(d time.Duration) Option {
	return duration("Retention", d, time.Second, func(s *settings) { s.retention = d })
}

// MaxRun bounds one attempt, counted from its claim: default 5 min, at least the lease. When it is over fn's context
// ends with cause ErrMaxRun and the claim is not renewed any more; if fn goes on all the same, another attempt may
// start once the lease is over.
func MaxRun(d time.Duration) Option {
	return duration("MaxRun", d, bounds.MinLease, func(s *settings) { s.maxRun = d })
}

// Wait makes a call that meets one in flight wait for its answer, for at most d, instead of failing with ErrInFlight at
// once: default 0. If the first attempt fails meanwhile, exactly one of those who wait runs fn; Wait bounds the waiting,
// not that run.
func Wait(d time.Duration) Option {
	return duration("Wait", d, 0, func(s *settings) { s.wait = d })
}

// MaxResult is the most bytes that an encoded answer may have: default 1 MiB. A larger one is given to the first caller;
// stored is only that it was done, and later callers get ErrAnswerNotKept.
func MaxResult(bytes int) Option {
	return option(func(s *settings) error {
		if bytes < 0 || bytes > 1<<30 {
			return optionError("MaxResult", "%d bytes is not between 0 and 1 GiB", bytes)
		}
		s.maxResult = bytes
		return nil
	})
}

// Operation names what a call does. The name is part of the fingerprint: one key used for two operations is ErrMismatch,
// even when their requests look alike. For names the operation of an Op; a plain Do without the option has the empty name.
func Operation(name string) CallOption {
	return callOption(func(s *settings) error {
		if reason := badName(name); reason != "" {
			return optionError("Operation", "%s", reason)
		}
		s.operation = name
		return nil
	})
}

// Detached lets fn finish when its caller leaves: fn's context keeps the values of ctx but loses its cancel and its
// deadline; MaxRun replaces both. Claiming and waiting still obey ctx.
func Detached() CallOption {
	return callOption(func(s *settings) error {
		s.detached = true
		return nil
	})
}
