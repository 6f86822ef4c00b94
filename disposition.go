package idem

import (
	"context"
	"errors"
)

// Disposition is what becomes of a record when fn returned.
type Disposition uint8

// The dispositions. The zero value leaves it to the guard: an answer is kept; after an error a Rerun or Tx guard
// releases and a Hold guard holds.
const (
	Release Disposition = iota + 1 // free the record: the next call runs again
	Keep                           // store it: it replays
	HoldIt                         // give it up: the outcome is unknown, nothing runs again until it is resolved
)

// OnError changes what becomes of a record when fn returns an error that is not marked by Final, Uncertain or Undone. A
// zero Disposition leaves it to the guard's guarantee. The function may be called concurrently.
func OnError(rule func(error) Disposition) Option {
	return option(func(s *settings) error {
		if rule == nil {
			return optionError("OnError", "the function is nil")
		}
		s.onError = rule
		return nil
	})
}

// mark is an error with what fn said about it.
type mark struct {
	error
	disposition Disposition
}

func (m *mark) Unwrap() error { return m.error }

func marked(err error, d Disposition) error {
	if err == nil {
		return nil
	}
	return &mark{err, d}
}

// Final marks a business answer that happens to be an error, such as "insufficient funds": it is stored and replays. The
// first caller and later ones all get the decoded error: what the guard's ErrorCodec makes of it, else a *FinalError
// with the same text. A value returned beside it is dropped. Final(nil) is nil. Where errors are wrapped in several
// marks, the outermost counts.
func Final(err error) error { return marked(err, Keep) }

// Uncertain marks an error after which the effect may or may not have happened, such as a time-out of a payment gateway:
// the record becomes unknown and is not run again until somebody resolves it. Uncertain(nil) is nil.
func Uncertain(err error) error { return marked(err, HoldIt) }

// Undone marks an error that says that nothing happened: the record is released, also under Hold, and the next call runs
// again. Undone(nil) is nil.
func Undone(err error) error { return marked(err, Release) }

// MarkOf returns what Final, Uncertain or Undone say of err, and false where err carries no mark. It is for adapters that
// turn errors into answers of their own.
func MarkOf(err error) (Disposition, bool) {
	var m *mark
	if !errors.As(err, &m) {
		return 0, false
	}
	return m.disposition, true
}

// disposition says what becomes of a record when fn returned err.
func (s *settings) disposition(err error) Disposition {
	if d, marked := MarkOf(err); marked {
		return d
	}
	if s.onError != nil {
		if d := s.onError(err); d >= Release && d <= HoldIt {
			return d
		}
	}
	return s.guarantee.afterError()
}

// afterError is what a guarantee makes of an error that nobody spoke about, of a panic and of Goexit.
func (gt Guarantee) afterError() Disposition {
	if gt == Hold {
		return HoldIt
	}
	return Release
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
