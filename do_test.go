package idem_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

func TestASecondCallGetsTheStoredAnswer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var gw gateway
		first, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, idem.Result[receipt]{Value: receipt{"ch_1", 500}, Attempt: 1, Kept: true}, first)

		time.Sleep(time.Minute)
		again, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, idem.Result[receipt]{Value: receipt{"ch_1", 500}, Replayed: true, Attempt: 1, Age: time.Minute, Kept: true}, again)
		require.Equal(t, 1, gw.count())
	})
}

func TestAnotherRequestUnderTheKeyIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		_, err = idem.Do(t.Context(), g, "k", "u", six, gw.charge)
		require.ErrorIs(t, err, idem.ErrMismatch)
		var mismatch *idem.MismatchError
		require.ErrorAs(t, err, &mismatch)
		require.NotContains(t, err.Error(), "500")
		require.Equal(t, 1, gw.count())
	})
}

func TestMismatchWinsOverInFlightAndOverUnknown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, _ charge) (receipt, error) {
			_, err := idem.Do(context.Background(), g, "k", "u", six, gw.charge)
			require.ErrorIs(t, err, idem.ErrMismatch)
			return receipt{}, idem.Uncertain(errDeclined)
		})
		require.ErrorIs(t, err, errDeclined)
		_, err = idem.Do(t.Context(), g, "k", "u", six, gw.charge)
		require.ErrorIs(t, err, idem.ErrMismatch)
		_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, idem.ErrUnknownOutcome)
		require.Zero(t, gw.count())
	})
}

func TestKeysAreApart(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	other, err := idem.New("other", store)
	require.NoError(t, err)
	g := newGuard(t, store)
	var gw gateway
	for _, call := range []struct {
		g    *idem.Guard
		key  idem.Key
		user idem.User
	}{
		{g, "k", "alice"},
		{g, "k", "bob"},
		{g, "K", "alice"},
		{g, "k ", "alice"},
		{g, "ka", "lice"},
		{other, "k", "alice"},
		{g, "k", idem.Scope("a", "bc")},
		{g, "k", idem.Scope("ab", "c")},
	} {
		res, err := idem.DoResult(t.Context(), call.g, call.key, call.user, five, gw.charge)
		require.NoError(t, err)
		require.False(t, res.Replayed, "%q of %q", call.key, call.user)
	}
	require.Equal(t, 8, gw.count())
}

func TestTwoOperationsDoNotAnswerForEachOther(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	var gw gateway
	charges := idem.Must(idem.For[charge, receipt](g, "charge"))
	refunds := idem.Must(idem.For[charge, receipt](g, "refund"))
	_, err := charges.Do(t.Context(), "k", "u", five, gw.charge)
	require.NoError(t, err)
	_, err = refunds.Do(t.Context(), "k", "u", five, gw.charge)
	require.ErrorIs(t, err, idem.ErrMismatch)
	_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
	require.ErrorIs(t, err, idem.ErrMismatch, "a plain Do has the empty operation")
	res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge, idem.Operation("charge"))
	require.NoError(t, err)
	require.True(t, res.Replayed)
	require.Equal(t, 1, gw.count())
}

func TestZeroAnswersAreAnswers(t *testing.T) {
	t.Parallel()
	t.Run("nil pointer", func(t *testing.T) { t.Parallel(); replays[*receipt](t, nil) })
	t.Run("empty string", func(t *testing.T) { t.Parallel(); replays(t, "") })
	t.Run("zero", func(t *testing.T) { t.Parallel(); replays(t, 0) })
	t.Run("false", func(t *testing.T) { t.Parallel(); replays(t, false) })
	t.Run("empty slice", func(t *testing.T) { t.Parallel(); replays(t, []string{}) })
	t.Run("nil slice", func(t *testing.T) { t.Parallel(); replays[[]string](t, nil) })
	t.Run("nil map", func(t *testing.T) { t.Parallel(); replays[map[string]int](t, nil) })
	t.Run("empty struct", func(t *testing.T) { t.Parallel(); replays(t, struct{}{}) })
	t.Run("nil any", func(t *testing.T) { t.Parallel(); replays[any](t, nil) })
}

func replays[Resp any](t *testing.T, answer Resp) {
	t.Helper()
	g := newGuard(t, new(memtest.Store))
	runs := 0
	for call := range 3 {
		res, err := idem.DoResult(t.Context(), g, "k", "u", 1, func(context.Context, int) (Resp, error) {
			runs++
			return answer, nil
		})
		require.NoError(t, err)
		require.Equal(t, answer, res.Value)
		require.Equal(t, call > 0, res.Replayed)
		require.True(t, res.Kept)
	}
	require.Equal(t, 1, runs)
}

func TestNumbersInUntypedAnswersStayExact(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	for range 2 {
		v, err := idem.Do(t.Context(), g, "k", "u", 1, func(context.Context, int) (any, error) {
			return map[string]any{"cents": int64(9007199254740993)}, nil
		})
		require.NoError(t, err)
		require.Equal(t, "9007199254740993", v.(map[string]any)["cents"].(interface{ String() string }).String())
	}
}

func TestWhatFnReturnsDecidesWhatIsKept(t *testing.T) {
	t.Parallel()
	const again, replays, unknown = "runs again", "replays", "unknown"
	alwaysKeep := idem.OnError(func(error) idem.Disposition { return idem.Keep })
	noRule := idem.OnError(func(error) idem.Disposition { return 0 })
	for _, c := range []struct {
		name string
		opts []idem.GuardOption
		err  error
		then string
	}{
		{"Rerun: a plain error is released", nil, errDeclined, again},
		{"Rerun: a context error is released", nil, context.Canceled, again},
		{"Rerun: Final is stored", nil, idem.Final(errDeclined), replays},
		{"Rerun: Uncertain is held", nil, idem.Uncertain(errDeclined), unknown},
		{"Rerun: Undone is released", nil, idem.Undone(errDeclined), again},
		{"Rerun: OnError may keep", []idem.GuardOption{alwaysKeep}, errDeclined, replays},
		{"Rerun: a mark wins over OnError", []idem.GuardOption{alwaysKeep}, idem.Undone(errDeclined), again},
		{"Rerun: the outermost mark counts", nil, idem.Final(idem.Uncertain(errDeclined)), replays},
		{"Rerun: OnError without an opinion leaves it", []idem.GuardOption{noRule}, errDeclined, again},
		{"Hold: a plain error is uncertain", []idem.GuardOption{idem.Hold}, errDeclined, unknown},
		{"Hold: a context error is uncertain", []idem.GuardOption{idem.Hold}, context.DeadlineExceeded, unknown},
		{"Hold: Undone is released", []idem.GuardOption{idem.Hold}, idem.Undone(errDeclined), again},
		{"Hold: Final is stored", []idem.GuardOption{idem.Hold}, idem.Final(errDeclined), replays},
		{"Hold: OnError without an opinion leaves it", []idem.GuardOption{idem.Hold, noRule}, errDeclined, unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(t, new(memtest.Store), c.opts...)
			runs := 0
			call := func() error {
				_, err := idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
					runs++
					return receipt{"dropped", 1}, c.err
				})
				return err
			}
			first, second := call(), call()
			require.Equal(t, c.err.Error(), first.Error())
			switch c.then {
			case again:
				require.ErrorIs(t, first, c.err)
				require.Equal(t, 2, runs)
			case replays:
				require.Equal(t, first, second, "the first caller gets what later ones get")
				require.Equal(t, &idem.FinalError{Message: c.err.Error()}, first)
				require.Equal(t, 1, runs)
			case unknown:
				require.ErrorIs(t, first, c.err)
				require.ErrorIs(t, second, idem.ErrUnknownOutcome)
				require.Equal(t, 1, runs)
			}
		})
	}
}

func TestMarksOfNilAreNil(t *testing.T) {
	t.Parallel()
	require.NoError(t, idem.Final(nil))
	require.NoError(t, idem.Uncertain(nil))
	require.NoError(t, idem.Undone(nil))
}

func TestAPanicKeepsItsCourseAndWedgesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		guarantee idem.Guarantee
		then      backend.State
	}{{idem.Rerun, backend.Absent}, {idem.Hold, backend.Unknown}} {
		t.Run(c.guarantee.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
				require.PanicsWithValue(t, "boom", func() {
					_, _ = idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) { panic("boom") })
				})
				require.Equal(t, c.then, state(t, g, "k"))
			}, c.guarantee)
		})
	}
}

func TestAPanicKeepsItsOwnStack(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	defer func() {
		require.Equal(t, "boom", recover())
		stack := make([]byte, 1<<14)
		require.Contains(t, string(stack[:runtime.Stack(stack, false)]), "panicsHere")
	}()
	_, _ = idem.Do(t.Context(), g, "k", "u", five, panicsHere)
}

func panicsHere(context.Context, charge) (receipt, error) { panic("boom") }

func TestGoexitIsToldApart(t *testing.T) {
	t.Parallel()
	for guarantee, then := range map[idem.Guarantee]backend.State{idem.Rerun: backend.Absent, idem.Hold: backend.Unknown} {
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			exited := make(chan struct{})
			go func() {
				defer close(exited)
				_, _ = idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
					runtime.Goexit()
					return receipt{}, nil
				})
				panic("Do returned after Goexit")
			}()
			<-exited
			require.Equal(t, then, state(t, g, "k"))
		}, guarantee)
	}
}

func TestAClientThatHangsUpLosesNoAnswer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		ctx, hangUp := context.WithCancel(t.Context())
		var gw gateway
		res, err := idem.Do(ctx, g, "k", "u", five, func(fnCtx context.Context, c charge) (receipt, error) {
			hangUp()
			require.ErrorIs(t, fnCtx.Err(), context.Canceled)
			return gw.charge(fnCtx, c)
		})
		require.NoError(t, err)
		require.Equal(t, "ch_1", res.ID)
		again, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.True(t, again.Replayed)
	})
}

func TestDetachedKeepsValuesAndLosesCancel(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), valueKey{}, "v"), time.Second)
		defer cancel()
		_, err := idem.Do(ctx, g, "k", "u", five, func(fnCtx context.Context, _ charge) (receipt, error) {
			time.Sleep(time.Minute)
			require.Error(t, ctx.Err())
			require.NoError(t, fnCtx.Err())
			require.Equal(t, "v", fnCtx.Value(valueKey{}))
			return receipt{}, nil
		}, idem.Detached())
		require.NoError(t, err)
		require.Equal(t, backend.Done, state(t, g, "k"))
	})
}

func TestACancelledContextRunsAndStoresNothing(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	store.StartLog()
	g := newGuard(t, store)
	cause := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	var gw gateway
	_, err := idem.Do(ctx, g, "k", "u", five, gw.charge)
	require.ErrorIs(t, err, cause)
	require.Zero(t, gw.count())
	require.Empty(t, store.Calls())
}

func TestBadInputIsRefusedBeforeTheStoreIsTouched(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		name string
		key  idem.Key
		user idem.User
		want error
	}{
		{"no key", "", "u", idem.ErrMissingKey},
		{"no user", "k", "", idem.ErrMissingUser},
		{"long key", idem.Key(long), "u", idem.ErrInvalidKey},
		{"long user", "k", idem.User(long), idem.ErrInvalidUser},
		{"control character", "k\n", "u", idem.ErrInvalidKey},
		{"NUL", "k", "u\x00", idem.ErrInvalidUser},
		{"DEL", "k\x7f", "u", idem.ErrInvalidKey},
		{"C1 control", "k\u0085", "u", idem.ErrInvalidKey},
		{"invalid UTF-8", "k\xff", "u", idem.ErrInvalidKey},
		{"a scope with a part missing", "k", idem.Scope("tenant", ""), idem.ErrMissingUser},
		{"an empty scope", "k", idem.Scope(), idem.ErrMissingUser},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := new(memtest.Store)
			store.StartLog()
			var gw gateway
			_, err := idem.Do(t.Context(), newGuard(t, store), c.key, c.user, five, gw.charge)
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), long)
			require.Empty(t, store.Calls())
			require.Zero(t, gw.count())
		})
	}
}

func TestLongestNamesPass(t *testing.T) {
	t.Parallel()
	var gw gateway
	long := strings.Repeat("é", 127) + "x"
	_, err := idem.Do(t.Context(), newGuard(t, new(memtest.Store)), idem.Key(long), idem.User(long), five, gw.charge)
	require.NoError(t, err)
}

func TestKeyPolicies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy func(idem.Key) error
		key    idem.Key
		ok     bool
	}{
		{idem.UUIDKeys, "0188d2c8-3fd4-7d5b-9f3c-6a0c7f1d2e3b", true},
		{idem.UUIDKeys, "0188D2C8-3FD4-7D5B-9F3C-6A0C7F1D2E3B", true},
		{idem.UUIDKeys, "0188d2c83fd47d5b9f3c6a0c7f1d2e3b", false},
		{idem.UUIDKeys, "0188d2c8-3fd4-7d5b-9f3c-6a0c7f1d2e3g", false},
		{idem.UUIDKeys, "0188d2c8a3fd4-7d5b-9f3c-6a0c7f1d2e3b", false},
		{idem.MinLength(4), "abcd", true},
		{idem.MinLength(4), "abc", false},
	} {
		var gw gateway
		_, err := idem.Do(t.Context(), newGuard(t, new(memtest.Store), idem.KeyPolicy(c.policy)), c.key, "u", five, gw.charge)
		if c.ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, idem.ErrInvalidKey)
		require.NotContains(t, err.Error(), string(c.key))
	}
}

func TestReentryIsRefused(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	elsewhere := newGuard(t, new(memtest.Store))
	var gw gateway
	_, err := idem.Do(t.Context(), g, "k", "u", five, func(ctx context.Context, c charge) (receipt, error) {
		return idem.Do(ctx, elsewhere, "k", "u", c, func(ctx context.Context, c charge) (receipt, error) {
			_, err := idem.Do(ctx, g, "k", "u", c, gw.charge)
			require.ErrorIs(t, err, idem.ErrReentrant)
			_, err = idem.Do(ctx, g, "k2", "u", c, gw.charge)
			return receipt{}, err
		})
	})
	require.NoError(t, err)
	require.Equal(t, 1, gw.count())
}

func TestARequestThatFnChangesStillCompletesItsOwnRecord(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	req := func() map[string]int { return map[string]int{"cents": 5} }
	for call := range 2 {
		res, err := idem.DoResult(t.Context(), g, "k", "u", req(), func(_ context.Context, m map[string]int) (int, error) {
			m["cents"] = 6
			return 1, nil
		})
		require.NoError(t, err)
		require.Equal(t, call == 1, res.Replayed)
	}
}

func TestTwentyCallersWithOneKeyRunOnce(t *testing.T) {
	t.Parallel()
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	g := newGuard(t, new(memtest.Store))
	for round := range rounds {
		var runs, answers, refused atomic.Int64
		var wg sync.WaitGroup
		key := idem.Key(time.Duration(round).String())
		for range 20 {
			wg.Go(func() {
				v, err := idem.Do(t.Context(), g, key, "u", five, func(context.Context, charge) (int64, error) {
					return runs.Add(1), nil
				})
				switch {
				case err == nil && v == 1:
					answers.Add(1)
				case errors.Is(err, idem.ErrInFlight):
					refused.Add(1)
				default:
					t.Errorf("got %v, %v", v, err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, runs.Load())
		require.EqualValues(t, 20, answers.Load()+refused.Load())
	}
}

func TestInFlightSaysTruthfullyWhenToComeBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ran, want time.Duration }{
		{0, time.Second},
		{1500 * time.Millisecond, 2 * time.Second},
		{9 * time.Second, 9 * time.Second},
		{45 * time.Second, 20 * time.Second}, // the lease was renewed at 40 s: 25 s are left of it at most
		{10 * time.Minute, 30 * time.Second},
	} {
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			_, err := idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
				time.Sleep(c.ran)
				_, err := idem.Do(context.Background(), g, "k", "u", five, new(gateway).charge)
				var inFlight *idem.InFlightError
				require.ErrorAs(t, err, &inFlight)
				if c.ran > 30*time.Second {
					require.LessOrEqual(t, inFlight.RetryAfter, 30*time.Second)
					require.GreaterOrEqual(t, inFlight.RetryAfter, c.want)
				} else {
					require.Equal(t, c.want, inFlight.RetryAfter)
				}
				return receipt{}, nil
			}, idem.MaxRun(time.Hour))
			require.NoError(t, err)
		}, idem.Lease(time.Minute), idem.MaxRun(time.Hour))
	}
}

func TestNothingRunsOnAfterACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &lateRenewal{Store: new(memtest.Store)}
		_, err := idem.Do(t.Context(), newGuard(t, store), "k", "u", five, func(context.Context, charge) (receipt, error) {
			time.Sleep(12 * time.Second) // ends while a renewal is under way
			return receipt{}, nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 1, store.ended.Load(), "the renewal has ended when the call returns")
	})
}

// lateRenewal answers renewals only when they are given up, and a little later.
type lateRenewal struct {
	backend.Store
	ended atomic.Int64
}

func (s *lateRenewal) Renew(ctx context.Context, _ backend.ID, _ backend.Token, _ backend.Renewal) (backend.Grant, error) {
	<-ctx.Done()
	time.Sleep(time.Second)
	s.ended.Add(1)
	return backend.Grant{}, ctx.Err()
}
