package itest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

func TestOnlyARunWrites(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		for _, guarantee := range sys.guarantees() {
			t.Run(guarantee.String(), func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys).calm()
				q := quiet{handles: []*worker{st.worker(t), st.worker(t)}, written: sys.watch(t, st.url)}
				c := call{guarantee: guarantee, key: "key", cents: 500}
				before := q.written()
				first, err := q.handles[0].do(t.Context(), c)
				require.NoError(t, err)
				require.NotEqual(t, before, q.written(), "a run that is not seen to write proves nothing below")

				if sys.flushes {
					_, err := q.handles[1].do(t.Context(), c)
					require.NoError(t, err)
				}
				q.never(t, "a replay", c, func(t *testing.T, res idem.Result[answer], err error) {
					require.NoError(t, err)
					require.True(t, res.Replayed)
					require.Equal(t, first.Value, res.Value)
				})
				other := c
				other.cents = 501
				q.never(t, "a mismatch", other, func(t *testing.T, _ idem.Result[answer], err error) {
					require.ErrorIs(t, err, idem.ErrMismatch)
				})
				bad := c
				bad.key = "\n"
				q.never(t, "a refusal", bad, func(t *testing.T, _ idem.Result[answer], err error) {
					require.ErrorIs(t, err, idem.ErrInvalidKey)
				})
			})
		}
	})
}

func TestACallInFlightWritesNothing(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		for _, guarantee := range sys.guarantees() {
			t.Run(guarantee.String(), func(t *testing.T) {
				t.Parallel()
				st := newStorage(t, sys).calm()
				q := quiet{handles: []*worker{st.worker(t), st.worker(t)}, written: sys.watch(t, st.url)}
				if guarantee == idem.Tx {
					q.handles = q.handles[:1] // across processes some backends can only wait for the transaction
				}
				c := call{guarantee: guarantee, key: "key", cents: 500}
				arrived, goOn, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
				s := &stopper{at: beforeEffect, reached: func() { close(arrived) }, goOn: goOn}
				go func() {
					_, err := q.handles[0].do(s.with(t.Context()), c)
					over <- err
				}()
				<-arrived
				q.never(t, "a call in flight", c, func(t *testing.T, _ idem.Result[answer], err error) {
					require.ErrorIs(t, err, idem.ErrInFlight)
				})
				other, told := c, idem.ErrMismatch
				other.cents = 501
				if guarantee == idem.Tx && sys.blind {
					told = idem.ErrInFlight
				}
				q.never(t, "a mismatch in flight", other, func(t *testing.T, _ idem.Result[answer], err error) {
					require.ErrorIs(t, err, told)
				})
				close(goOn)
				require.NoError(t, <-over)
			})
		}
	})
}

func TestAnUnknownOutcomeIsToldWithoutAWrite(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		st := newStorage(t, sys).calm()
		q := quiet{handles: []*worker{st.worker(t), st.worker(t)}, written: sys.watch(t, st.url)}
		c := call{guarantee: idem.Hold, key: "key"}
		ctx, leave := context.WithCancel(t.Context())
		c.obedient, c.began = true, func(string) { leave() }
		_, err := q.handles[0].do(ctx, c)
		require.ErrorIs(t, err, context.Canceled)
		q.never(t, "a held record", c, func(t *testing.T, _ idem.Result[answer], err error) {
			require.ErrorIs(t, err, idem.ErrUnknownOutcome)
		})
	})
}

// quiet makes calls that must write nothing.
type quiet struct {
	handles []*worker
	written func() string
}

// never makes the call several times on each handle, checks what comes and that nothing was written.
func (q quiet) never(t *testing.T, what string, c call, check func(*testing.T, idem.Result[answer], error)) {
	t.Helper()
	before := q.written()
	for i, w := range q.handles {
		for range 5 {
			res, err := w.do(t.Context(), c)
			check(t, res, err)
		}
		require.Equal(t, before, q.written(), fmt.Sprintf("%s wrote, on handle %d", what, i))
	}
}
