package idem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

func TestNewNamesTheWrongOption(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	for _, c := range []struct {
		option string
		opt    idem.GuardOption
	}{
		{"Lease", idem.Lease(-1)},
		{"Lease", idem.Lease(999 * time.Millisecond)},
		{"Retention", idem.Retention(0)},
		{"Retention", idem.Retention(100 * 365 * 24 * time.Hour)},
		{"MaxRun", idem.MaxRun(0)},
		{"MaxRun", idem.MaxRun(10 * time.Second)}, // shorter than the default lease
		{"MaxRun", idem.Lease(time.Hour)},         // longer than the default MaxRun
		{"Wait", idem.Wait(-1)},
		{"MaxResult", idem.MaxResult(-1)},
		{"MaxResult", idem.MaxResult(1<<30 + 1)},
		{"OnError", idem.OnError(nil)},
		{"WithCodec", idem.WithCodec(nil)},
		{"WithCodec", idem.WithCodec(nameless{idem.JSON})},
		{"WithErrorCodec", idem.WithErrorCodec(nil)},
		{"WithObserver", idem.WithObserver(nil)},
		{"KeyPolicy", idem.KeyPolicy(nil)},
		{"CacheAnswers", idem.CacheAnswers(0, 1<<20)},
		{"CacheAnswers", idem.CacheAnswers(time.Hour, 1<<20)},
		{"CacheAnswers", idem.CacheAnswers(time.Second, 64<<10-1)},
		{"Guarantee", idem.Guarantee(9)},
		{"GuardOption", nil},
	} {
		t.Run(c.option, func(t *testing.T) {
			t.Parallel()
			g, err := idem.New("test", store, c.opt)
			require.Nil(t, g)
			var option *idem.OptionError
			require.ErrorAs(t, err, &option)
			require.Equal(t, c.option, option.Option)
			require.NotEmpty(t, option.Reason)
			require.Equal(t, idem.CodeInvalidOption, idem.CodeOf(err))
		})
	}
}

type nameless struct{ idem.Codec }

func (nameless) Name() string { return "" }

func TestNewChecksNameAndStore(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Payments", "a b", "é", "a/b", string(make([]byte, 65))} {
		_, err := idem.New(name, new(memtest.Store))
		require.Error(t, err, "%q", name)
	}
	_, err := idem.New("a-z_0.9", new(memtest.Store))
	require.NoError(t, err)
	_, err = idem.New("test", nil)
	require.Error(t, err)
	require.Panics(t, func() { idem.Must(idem.New("", nil)) })
}

func TestAGuardThatNewDidNotMakeReturnsErrors(t *testing.T) {
	t.Parallel()
	for _, g := range []*idem.Guard{nil, {}} {
		var option *idem.OptionError
		_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
		require.ErrorAs(t, err, &option)
		_, err = idem.DoTx(t.Context(), g, "k", "u", five, new(ledger).write)
		require.ErrorAs(t, err, &option)
		_, err = g.Exec(t.Context(), idem.Call{})
		require.ErrorAs(t, err, &option)
		_, err = g.Lookup(t.Context(), "k", "u")
		require.ErrorAs(t, err, &option)
		_, err = g.Prune(t.Context())
		require.ErrorAs(t, err, &option)
		require.ErrorAs(t, g.RunPruner(t.Context(), time.Hour), &option)
		_, err = g.Check(t.Context())
		require.ErrorAs(t, err, &option)
		_, err = idem.For[charge, receipt](g, "op")
		require.ErrorAs(t, err, &option)
	}
	_, err := idem.Op[charge, receipt]{}.Do(t.Context(), "k", "u", five, new(gateway).charge)
	require.Error(t, err)
}

func TestACallNamesTheWrongOptionBeforeTheStoreIsTouched(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	store.StartLog()
	g := newGuard(t, store)
	for _, opt := range []idem.CallOption{
		idem.Lease(0), idem.Operation("a\x00b"), idem.FingerprintBy[charge](nil), nil,
		idem.FingerprintBy(func(receipt) any { return nil }),
	} {
		_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge, opt)
		var option *idem.OptionError
		require.ErrorAs(t, err, &option)
	}
	_, err := idem.Do[charge, receipt](t.Context(), g, "k", "u", five, nil)
	require.ErrorContains(t, err, "fn")
	_, err = g.Exec(t.Context(), idem.Call{Key: "k", User: "u", Codec: "x"})
	require.ErrorContains(t, err, "Call.Run")
	_, err = g.Exec(t.Context(), idem.Call{Key: "k", User: "u", Run: func(context.Context) idem.Answer { return idem.Answer{} }})
	require.ErrorContains(t, err, "Call.Codec")
	require.Empty(t, store.Calls())
}

func TestForSaysAtStartUpWhatACallWouldSay(t *testing.T) {
	t.Parallel()
	type money struct{ cents int }
	type order struct{ Amount money }
	g := newGuard(t, new(memtest.Store))
	_, err := idem.For[order, receipt](g, "order")
	require.ErrorIs(t, err, idem.ErrInvalidRequest)
	require.ErrorContains(t, err, "Amount")
	_, err = idem.Do(t.Context(), g, "k", "u", order{money{5}}, func(context.Context, order) (int, error) { return 0, nil })
	require.ErrorIs(t, err, idem.ErrInvalidRequest, "two amounts would have one fingerprint")
	_, err = idem.For[order, receipt](g, "order", idem.FingerprintBy(func(o order) any { return o.Amount.cents }))
	require.NoError(t, err)
	_, err = idem.For[order, receipt](g, "order", idem.FingerprintBy(func(charge) any { return 0 }))
	require.ErrorContains(t, err, "idem_test.charge")
	require.ErrorContains(t, err, "idem_test.order")
	_, err = idem.For[charge, receipt](g, "")
	require.Error(t, err)
	_, err = idem.For[charge, receipt](g, "charge", idem.Lease(0))
	require.Error(t, err)
}

type selfPrinting struct {
	Account string
	TraceID string
}

func (r selfPrinting) IdemFingerprint() any { return r.Account }

func TestWhatCountsOfARequestCanBeChosen(t *testing.T) {
	t.Parallel()
	type traced struct {
		Account string
		TraceID string `idem:"-"`
	}
	same := func(t *testing.T, call func(g *idem.Guard, account, trace string) error) {
		g := newGuard(t, new(memtest.Store))
		require.NoError(t, call(g, "a", "1"))
		require.NoError(t, call(g, "a", "2"))
		require.ErrorIs(t, call(g, "b", "1"), idem.ErrMismatch)
	}
	t.Run("a tag", func(t *testing.T) {
		t.Parallel()
		same(t, func(g *idem.Guard, account, trace string) error {
			_, err := idem.Do(t.Context(), g, "k", "u", traced{account, trace}, func(context.Context, traced) (int, error) { return 1, nil })
			return err
		})
	})
	t.Run("FingerprintBy", func(t *testing.T) {
		t.Parallel()
		same(t, func(g *idem.Guard, account, trace string) error {
			_, err := idem.Do(t.Context(), g, "k", "u", [2]string{account, trace}, func(context.Context, [2]string) (int, error) { return 1, nil },
				idem.FingerprintBy(func(r [2]string) any { return r[0] }))
			return err
		})
	})
	t.Run("Fingerprinter", func(t *testing.T) {
		t.Parallel()
		same(t, func(g *idem.Guard, account, trace string) error {
			_, err := idem.Do(t.Context(), g, "k", "u", selfPrinting{account, trace}, func(context.Context, selfPrinting) (int, error) { return 1, nil })
			return err
		})
	})
}

func TestBigIntegersAreDifferentRequests(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	_, err := idem.Do(t.Context(), g, "k", "u", int64(9007199254740993), func(context.Context, int64) (int, error) { return 1, nil })
	require.NoError(t, err)
	_, err = idem.Do(t.Context(), g, "k", "u", int64(9007199254740992), func(context.Context, int64) (int, error) { return 1, nil })
	require.ErrorIs(t, err, idem.ErrMismatch)
}

func TestMapOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	for range 50 {
		_, err := idem.Do(t.Context(), g, "k", "u", map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}, func(context.Context, map[string]int) (int, error) { return 1, nil })
		require.NoError(t, err)
	}
}

func TestMarksCanBeAskedFor(t *testing.T) {
	t.Parallel()
	for want, err := range map[idem.Disposition]error{
		idem.Keep: idem.Final(errDeclined), idem.HoldIt: fmt.Errorf("x: %w", idem.Uncertain(errDeclined)), idem.Release: idem.Undone(errDeclined),
	} {
		got, marked := idem.MarkOf(err)
		require.True(t, marked)
		require.Equal(t, want, got)
	}
	_, marked := idem.MarkOf(errDeclined)
	require.False(t, marked)
}

func TestEveryErrorHasItsCode(t *testing.T) {
	t.Parallel()
	for want, err := range map[idem.Code]error{
		idem.CodeNone:            nil,
		idem.CodeOther:           errDeclined,
		idem.CodeMissingKey:      idem.ErrMissingKey,
		idem.CodeInvalidKey:      fmt.Errorf("x: %w", idem.ErrInvalidKey),
		idem.CodeMissingUser:     idem.ErrMissingUser,
		idem.CodeInvalidUser:     idem.ErrInvalidUser,
		idem.CodeInvalidRequest:  idem.ErrInvalidRequest,
		idem.CodeMismatch:        &idem.MismatchError{},
		idem.CodeInFlight:        &idem.InFlightError{},
		idem.CodeUnknownOutcome:  idem.ErrUnknownOutcome,
		idem.CodeLeaseLost:       fmt.Errorf("%w: %w", idem.ErrLeaseLost, context.Canceled),
		idem.CodeMaxRun:          fmt.Errorf("%w: %w", idem.ErrMaxRun, context.Canceled),
		idem.CodeNotStored:       &idem.NotStoredError{Err: errDown},
		idem.CodeAnswerNotKept:   idem.ErrAnswerNotKept,
		idem.CodeReentrant:       idem.ErrReentrant,
		idem.CodeCorrupt:         idem.ErrCorrupt,
		idem.CodeVersion:         idem.ErrVersion,
		idem.CodeUnavailable:     fmt.Errorf("%w: %w", idem.ErrUnavailable, context.DeadlineExceeded),
		idem.CodeCommitUnknown:   idem.ErrCommitUnknown,
		idem.CodeConflict:        idem.ErrConflict,
		idem.CodeWrongGuarantee:  idem.ErrWrongGuarantee,
		idem.CodeNoTransactions:  idem.ErrNoTransactions,
		idem.CodeUnsupported:     idem.ErrUnsupported,
		idem.CodeNotFound:        idem.ErrNotFound,
		idem.CodeInvalidOption:   &idem.OptionError{},
		idem.CodeContextCanceled: context.Canceled,
	} {
		require.Equal(t, want, idem.CodeOf(err), "%v", err)
	}
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for k := idem.EventClaimed; k <= idem.EventPruneFailed; k++ {
		require.NotEqual(t, "invalid", k.String())
		seen[k.String()] = true
	}
	require.Len(t, seen, int(idem.EventPruneFailed))
	require.Equal(t, "invalid", (idem.EventPruneFailed + 1).String())
	require.Equal(t, "invalid", idem.Guarantee(9).String())
}

func TestAnObserverIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		_, err := idem.Do(t.Context(), g, "k", "u", five, slowly(new(gateway), time.Second))
		require.NoError(t, err)
		_, _ = idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
		_, _ = idem.Do(t.Context(), g, "k", "u", six, new(gateway).charge)
		_, _ = idem.Do(t.Context(), g, "", "u", six, new(gateway).charge)
		record := backend.NewID("test", "u", "k").Short()
		require.Equal(t, []idem.Event{
			{Kind: idem.EventClaimed, Guard: "test", Record: record, Attempt: 1},
			{Kind: idem.EventCompleted, Guard: "test", Record: record, Attempt: 1, Elapsed: time.Second},
			{Kind: idem.EventReplayed, Guard: "test", Record: record, Attempt: 1},
			{Kind: idem.EventRefused, Guard: "test", Record: record, Code: idem.CodeMismatch},
			{Kind: idem.EventRefused, Guard: "test", Code: idem.CodeMissingKey},
		}, seen.seen)
	}, idem.WithObserver(&seen))
}

func TestAnObserverMayBeAFunction(t *testing.T) {
	t.Parallel()
	n := 0
	g := newGuard(t, new(memtest.Store), idem.WithObserver(idem.ObserverFunc(func(context.Context, idem.Event) { n++ })))
	_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

func TestNotStoredErrorUnwrapsToItsParts(t *testing.T) {
	t.Parallel()
	err := &idem.NotStoredError{Err: errDown, FnErr: errDeclined}
	for _, part := range []error{idem.ErrNotStored, errDown, errDeclined} {
		require.ErrorIs(t, err, part)
	}
	require.False(t, errors.Is(&idem.NotStoredError{Err: errDown}, errDeclined))
}
