package sqlbackend

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestATimeoutOfTheNetworkIsTheContexts(t *testing.T) {
	t.Parallel()
	plain := func(error) class { return unclassified }
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := failure(ctx, "begin", os.ErrDeadlineExceeded, plain); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the driver was a moment ahead: %v", err)
		}
		far, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if err := failure(far, "begin", os.ErrDeadlineExceeded, plain); errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
			t.Errorf("another time-out than the context's: %v after %v", err, time.Since(start))
		}
		if err := failure(far, "begin", errors.New("refused"), plain); errors.Is(err, context.DeadlineExceeded) || time.Since(start) > ahead {
			t.Errorf("no time-out at all: %v", err)
		}
	})
}
