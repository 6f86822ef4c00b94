package idem_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
)

func TestAnExecutorIsAGuardBoundToItsOptions(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store), idem.Lease(2*time.Second), idem.Retention(time.Hour))
	e, err := g.Executor(idem.Retention(time.Minute), idem.Wait(time.Second), idem.MaxResult(3))
	require.NoError(t, err)
	require.Equal(t, idem.Policy{
		Guarantee: idem.Rerun, Lease: 2 * time.Second, Retention: time.Minute, MaxRun: 5 * time.Minute, Wait: time.Second, MaxResult: 3,
	}, e.Policy())

	runs := 0
	call := idem.Call{Key: "k", User: "u", Codec: "test", Run: func(context.Context) idem.Answer {
		runs++
		return idem.Answer{Payload: []byte("yes")}
	}}
	out, err := e.Exec(t.Context(), call)
	require.NoError(t, err)
	require.False(t, out.Replayed)
	out, err = g.Exec(t.Context(), call)
	require.NoError(t, err)
	require.True(t, out.Replayed, "an executor and its guard have the same records")
	require.Equal(t, "yes", string(out.Payload))
	require.Equal(t, 1, runs)
}

func TestASlotServesOneCall(t *testing.T) {
	t.Parallel()
	e, err := newGuard(t, new(memtest.Store)).Executor()
	require.NoError(t, err)
	call := idem.Call{Key: "k", User: "u", Codec: "test", Run: func(context.Context) idem.Answer { return idem.Answer{} }}
	slot := new(idem.Slot)
	_, err = e.ExecIn(t.Context(), slot, call)
	require.NoError(t, err)
	_, err = e.ExecIn(t.Context(), slot, call)
	var wrong *idem.OptionError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "Slot", wrong.Option)
}

func TestAnExecutorSaysAtOnceWhatIsWrong(t *testing.T) {
	t.Parallel()
	var wrong *idem.OptionError
	_, err := newGuard(t, new(memtest.Store)).Executor(idem.Lease(0))
	require.ErrorAs(t, err, &wrong)
	_, err = (*idem.Guard)(nil).Executor()
	require.ErrorAs(t, err, &wrong)
	_, err = newGuard(t, new(memtest.Store), idem.Tx).Executor()
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)

	_, err = new(idem.Executor).Exec(t.Context(), idem.Call{})
	require.ErrorAs(t, err, &wrong)

	e, err := newGuard(t, new(memtest.Store)).Executor()
	require.NoError(t, err)
	_, err = e.Exec(t.Context(), idem.Call{Key: "k", User: "u", Codec: "test"})
	require.ErrorAs(t, err, &wrong)
	_, err = e.Exec(t.Context(), idem.Call{Key: "k", User: "u", Run: func(context.Context) idem.Answer { return idem.Answer{} }})
	require.ErrorAs(t, err, &wrong)
}
