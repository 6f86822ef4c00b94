package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

// errNotReplicated says that too few replicas acknowledged a write in time.
var errNotReplicated = errors.New("too few replicas acknowledged it in time")

// failure is the error of an operation. A context's end has its cause added. Redis repeats no argument of a script in an
// error, so neither an id nor a token, an answer or a name is in it.
func failure(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if says(err, "WRONGTYPE") && !errors.Is(err, backend.ErrCorrupt) {
		err = fmt.Errorf("%w: its key holds something else: %w", backend.ErrCorrupt, err)
	}
	if ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return fmt.Errorf("redisbackend: %s: %w", op, err)
}

// says reports whether err is an answer of the server with that word. Servers before 7.0 put words of their own before
// the error of a command in a script.
func says(err error, word string) bool {
	var told redis.Error
	return errors.As(err, &told) && strings.Contains(told.Error(), word)
}

// refusedAnswer is the error of a script that should store an answer. A large one that finds the memory full is too
// large: what is sent in its place is small enough for storing to permit it.
func refusedAnswer(answer []byte, err error) error {
	if len(answer) > smallAnswer && says(err, "OOM ") {
		return fmt.Errorf("%w: %w", backend.ErrTooLarge, err)
	}
	return err
}

// unreadable reports whether the store itself answered, with something that this library does not read.
func unreadable(err error) bool {
	return errors.Is(err, backend.ErrCorrupt) || errors.Is(err, backend.ErrVersion)
}

// corrupt is the error of a record that this library cannot have written.
func corrupt(what string) error { return fmt.Errorf("%w: %s", backend.ErrCorrupt, what) }
