package sqlbackend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/idem-go/idem/backend"
)

// failure is the error of an operation: err with the sentinel that its class stands for. Some drivers answer a context
// that ended with an error of their own, so its cause is added. Neither holds an id, a token or a name.
func failure(ctx context.Context, op string, err error, classify func(error) class) error {
	if err == nil {
		return nil
	}
	err = classified(discreet(err), classify)
	if ended(ctx, err) && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return fmt.Errorf("sqlbackend: %s: %w", op, err)
}

// ahead is how much sooner than the context a driver may end that has given the context's deadline to the network.
const ahead = 20 * time.Millisecond

// ended reports whether ctx has ended, which it may do a moment after a driver's time-out that follows it.
func ended(ctx context.Context, err error) bool {
	var late interface{ Timeout() bool }
	if _, bounded := ctx.Deadline(); bounded && errors.As(err, &late) && late.Timeout() {
		_ = rest(ctx, ahead)
	}
	return ctx.Err() != nil
}

// discreet leaves out what a server's error says beside its message, which may be a row. It leaves an error alone that
// has been through it.
func discreet(err error) error {
	if errors.As(err, new(*bareError)) {
		return err
	}
	return withoutDetail(err)
}

func classified(err error, classify func(error) class) error {
	switch classify(err) {
	case conflict:
		return wrapped(backend.ErrConflict, err)
	case tooLarge:
		return wrapped(backend.ErrTooLarge, err)
	case missingKey:
		return wrapped(backend.ErrUnknownUser, err)
	default:
		return err
	}
}

func wrapped(sentinel, err error) error {
	if errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// corrupt is the error of a row that this library cannot have written.
func corrupt(what string) error { return fmt.Errorf("%w: %s", backend.ErrCorrupt, what) }
