package sqlbackend

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause rests before another round, longer with each, so that two that met do not meet again.
func pause(ctx context.Context, round int) error {
	return rest(ctx, rand.N(time.Millisecond<<min(round, 5)))
}

// rest waits for d, or for the end of ctx, whose cause it returns.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
