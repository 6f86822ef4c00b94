package idem_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

func TestAStoreThatIsDownFailsClosed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1, Err: errDown})
		var gw gateway
		_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, idem.ErrUnavailable)
		require.ErrorIs(t, err, errDown)
		require.Zero(t, gw.count())
	})
}

func TestAStoreThatHangsFailsClosedWithinItsBudget(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1, Mode: memtest.Delay, Delay: time.Hour})
		began := time.Now()
		_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
		require.ErrorIs(t, err, idem.ErrUnavailable)
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

func TestAClaimWhoseAnswerWasLostRunsAtOnce(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.LoseAck, Count: 2, Err: errDown})
		var gw gateway
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.Equal(t, 1, res.Attempt)
		require.Equal(t, []string{"retried", "retried", "claimed", "completed"}, seen.kinds())
	}, idem.WithObserver(&seen))
}

func TestAClaimThatCannotBeConfirmedBlocksNobody(t *testing.T) {
	t.Parallel()
	for _, guarantee := range []idem.Guarantee{idem.Rerun, idem.Hold} {
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			lost := store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.LoseAck, Count: -1})
			var gw gateway
			_, err := idem.Do(t.Context(), g, "k", "u", five, gw.charge)
			require.ErrorIs(t, err, idem.ErrUnavailable)
			lost.Remove()
			_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
			require.NoError(t, err)
			require.Equal(t, 1, gw.count())
		}, guarantee)
	}
}

func TestACallerWhoLeavesDuringTheClaimBlocksNobody(t *testing.T) {
	t.Parallel()
	cause := errors.New("client gone")
	inBubble(t, func(t *testing.T, store *memtest.Store, _ *idem.Guard) {
		ctx, leave := context.WithCancelCause(t.Context())
		g := newGuard(t, &leavingStore{Store: store, leave: func() { leave(cause) }})
		var gw gateway
		_, err := idem.Do(ctx, g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, cause)
		require.Zero(t, gw.count())
		require.Equal(t, backend.Absent, state(t, newGuard(t, store), "k"))
	})
}

// leavingStore has the caller leave just when his claim succeeded.
type leavingStore struct {
	backend.Store
	leave func()
}

func (s *leavingStore) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	grant, err := s.Store.Begin(ctx, c)
	s.leave()
	return grant, err
}

func TestACompletionWhoseAnswerWasLostIsSentAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpComplete, Mode: memtest.LoseAck, Count: 3})
		var gw gateway
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.NoError(t, err)
		require.False(t, res.Replayed)
		require.True(t, res.Kept)
		require.Equal(t, 1, gw.count())
	})
}

func TestAnAnswerThatCannotBeStoredIsReturnedWithErrNotStored(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.StartLog()
		store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1, Err: errDown})
		var gw gateway
		began := time.Now()
		res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
		require.ErrorIs(t, err, idem.ErrNotStored)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, receipt{"ch_1", 500}, res.Value)
		require.False(t, res.Kept)
		require.InDelta(t, 5*time.Second, time.Since(began), float64(time.Second))
		require.Zero(t, calls(store, memtest.OpRelease), "never released")
		require.Equal(t, backend.Pending, state(t, g, "k"))
		require.Contains(t, seen.kinds(), "not_stored")
	}, idem.WithObserver(&seen))
}

func TestTheClaimIsRenewedWhileTheAnswerCannotBeStored(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.StartLog()
		down := store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
		time.AfterFunc(4*time.Second, down.Remove)
		_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
		require.NoError(t, err)
		require.GreaterOrEqual(t, calls(store, memtest.OpRenew), 8, "a lease of 1.5 s over 4 s")
	}, idem.Lease(1500*time.Millisecond))
}

func TestAHoldThatCannotBeStoredSaysSo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpHold, Count: -1, Err: errDown})
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
			return receipt{}, idem.Uncertain(errDeclined)
		})
		require.ErrorIs(t, err, idem.ErrNotStored)
		require.ErrorIs(t, err, errDeclined)
		require.ErrorIs(t, err, errDown)
	})
}

func TestAReleaseThatFailsIsReportedAndEndsWithTheLease(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		down := store.Inject(memtest.Fault{Op: memtest.OpRelease, Count: -1, Err: errDown})
		_, err := idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (receipt, error) {
			return receipt{}, errDeclined
		})
		require.Equal(t, errDeclined, err)
		require.Contains(t, seen.kinds(), "not_stored")
		down.Remove()
		time.Sleep(30 * time.Second)
		_, err = idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
		require.NoError(t, err)
	}, idem.WithObserver(&seen))
}

func TestALargeAnswerBecomesATombstone(t *testing.T) {
	t.Parallel()
	var seen events
	for name, prepare := range map[string]func(*memtest.Store) idem.GuardOption{
		"over MaxResult":          func(*memtest.Store) idem.GuardOption { return idem.MaxResult(10) },
		"too large for the store": func(s *memtest.Store) idem.GuardOption { s.SetMaxAnswer(20); return idem.MaxResult(1 << 20) },
		"over both":               func(s *memtest.Store) idem.GuardOption { s.SetMaxAnswer(20); return idem.MaxResult(10) },
	} {
		t.Run(name, func(t *testing.T) {
			store := new(memtest.Store)
			g := newGuard(t, store, prepare(store), idem.WithObserver(&seen))
			var gw gateway
			res, err := idem.DoResult(t.Context(), g, "k", "u", five, gw.charge)
			require.NoError(t, err, "the first caller gets his value")
			require.Equal(t, idem.Result[receipt]{Value: receipt{"ch_1", 500}, Attempt: 1}, res)
			_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
			require.ErrorIs(t, err, idem.ErrAnswerNotKept)
			_, err = idem.Do(t.Context(), g, "k", "u", six, gw.charge)
			require.ErrorIs(t, err, idem.ErrMismatch)
			require.Equal(t, 1, gw.count(), "and nobody runs again")
			require.Contains(t, seen.kinds(), "tombstoned")
		})
	}
}

func TestAnAnswerThatDoesNotSurviveItsCodecBecomesATombstone(t *testing.T) {
	t.Parallel()
	t.Run("not encodable", func(t *testing.T) { t.Parallel(); notEncodable(t, make(chan int)) })
	t.Run("not decodable", func(t *testing.T) {
		t.Parallel()
		notEncodable(t, struct{ E error }{errDeclined})
	})
}

func notEncodable[Resp any](t *testing.T, answer Resp) {
	t.Helper()
	var seen events
	g := newGuard(t, new(memtest.Store), idem.WithObserver(&seen))
	runs := 0
	fn := func(context.Context, int) (Resp, error) { runs++; return answer, nil }
	res, err := idem.DoResult(t.Context(), g, "k", "u", 1, fn)
	require.NoError(t, err)
	require.Equal(t, answer, res.Value)
	require.False(t, res.Kept)
	_, err = idem.Do(t.Context(), g, "k", "u", 1, fn)
	require.ErrorIs(t, err, idem.ErrAnswerNotKept)
	require.Equal(t, 1, runs)
	require.Contains(t, seen.kinds(), "not_encodable")
}

func TestAStoredAnswerThatCannotBeReadIsNeverRunAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"empty", nil, idem.ErrCorrupt},
		{"cut short", []byte{1, 1}, idem.ErrCorrupt},
		{"a bad checksum", []byte{'x', 0, 1, 1, 0, 0, 0, 0}, idem.ErrCorrupt},
		{"a newer envelope", []byte{'x', 0, 1, 2, 0xd9, 0x5d, 0x3a, 0xf0}, idem.ErrVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := new(memtest.Store)
			g := newGuard(t, store)
			token := abandon(t, store, false)
			_, err := store.Complete(t.Context(), backend.NewID("test", "u", "k"), token, backend.Completion{
				Fingerprint: fingerprintOf(t, five), Answer: c.answer, Retention: time.Hour,
			})
			require.NoError(t, err)
			var gw gateway
			for range 2 {
				_, err = idem.Do(t.Context(), g, "k", "u", five, gw.charge)
				require.ErrorIs(t, err, c.want)
			}
			require.Zero(t, gw.count())
			require.Equal(t, backend.Done, state(t, g, "k"))
		})
	}
}

func TestAnAnswerOfAnotherTypeIsCorruptNotRunAgain(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
	require.NoError(t, err)
	_, err = idem.Do(t.Context(), g, "k", "u", five, func(context.Context, charge) (int, error) { return 1, nil })
	require.ErrorIs(t, err, idem.ErrCorrupt)
}

func TestAnAnswerOfAnotherCodecIsAVersionError(t *testing.T) {
	t.Parallel()
	g := newGuard(t, new(memtest.Store))
	_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
	require.NoError(t, err)
	_, err = idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge, idem.WithCodec(renamed{idem.JSON}))
	require.ErrorIs(t, err, idem.ErrVersion)
}

type renamed struct{ idem.Codec }

func (renamed) Name() string { return "json/2" }

func TestErrorsOfTheStoreThatAreNotAboutAvailability(t *testing.T) {
	t.Parallel()
	for in, want := range map[error]error{
		backend.ErrUnknownUser: idem.ErrInvalidUser,
		backend.ErrCorrupt:     idem.ErrCorrupt,
		backend.ErrVersion:     idem.ErrVersion,
	} {
		store := new(memtest.Store)
		store.StartLog()
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1, Err: in})
		_, err := idem.Do(t.Context(), newGuard(t, store), "k", "u", five, new(gateway).charge)
		require.ErrorIs(t, err, want)
		require.NotErrorIs(t, err, idem.ErrUnavailable)
		require.Equal(t, 1, calls(store, memtest.OpBegin), "it would be the same at every try")
	}
}

func TestTypedErrorsReplayWithAnErrorCodec(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	g := newGuard(t, store, idem.WithErrorCodec(declinedCodec{}))
	runs := 0
	fn := func(err error) func(context.Context, charge) (receipt, error) {
		return func(context.Context, charge) (receipt, error) { runs++; return receipt{}, idem.Final(err) }
	}
	for range 2 {
		_, err := idem.Do(t.Context(), g, "k", "u", five, fn(errDeclined))
		require.ErrorIs(t, err, errDeclined)
		_, err = idem.Do(t.Context(), g, "k2", "u", five, fn(errors.New("something else")))
		require.Equal(t, &idem.FinalError{Message: "something else"}, err)
	}
	require.Equal(t, 2, runs)
	plain := newGuard(t, store)
	_, err := idem.Do(t.Context(), plain, "k", "u", five, new(gateway).charge)
	require.ErrorIs(t, err, idem.ErrVersion, "without the codec that wrote it, it is not decoded")
}

// declinedCodec knows one error.
type declinedCodec struct{}

func (declinedCodec) Name() string { return "declined/1" }
func (declinedCodec) Encode(err error) ([]byte, bool) {
	return []byte("d"), errors.Is(err, errDeclined)
}
func (declinedCodec) Decode([]byte) (error, error) { return errDeclined, nil }

func TestAfterErrNotStoredARecordIsAsAfterACrash(t *testing.T) {
	t.Parallel()
	for guarantee, then := range map[idem.Guarantee]error{idem.Rerun: nil, idem.Hold: idem.ErrUnknownOutcome} {
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			down := store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
			_, err := idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
			require.ErrorIs(t, err, idem.ErrNotStored)
			down.Remove()
			_, err = idem.Do(t.Context(), g, "k", "u", five, new(gateway).charge)
			require.ErrorIs(t, err, idem.ErrInFlight)
			time.Sleep(time.Minute)
			res, err := idem.DoResult(t.Context(), g, "k", "u", five, new(gateway).charge)
			require.ErrorIs(t, err, then)
			if then == nil {
				require.Equal(t, 2, res.Attempt)
			}
		}, guarantee)
	}
}

func TestATombstoneKeepsWhatItsCodecFindsWorthKeeping(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ size, kept int }{{4 << 10, 4 << 10}, {4<<10 + 1, 0}} {
		g := newGuard(t, new(memtest.Store), idem.MaxResult(10))
		call := idem.Call{
			Key: "k", User: "u", Codec: "raw",
			Run: func(context.Context) idem.Answer {
				return idem.Answer{Payload: make([]byte, 11), Tombstone: make([]byte, c.size)}
			},
		}
		first, err := g.Exec(t.Context(), call)
		require.NoError(t, err)
		require.Len(t, first.Payload, 11)
		require.False(t, first.Kept)
		again, err := g.Exec(t.Context(), call)
		require.ErrorIs(t, err, idem.ErrAnswerNotKept)
		require.Equal(t, idem.KindTombstone, again.Kind)
		require.Len(t, again.Payload, c.kept)
	}
}

func TestExecReleasesAnAnswerThatIsNoError(t *testing.T) {
	t.Parallel()
	for d, want := range map[idem.Disposition]backend.State{
		0: backend.Done, idem.Release: backend.Absent, idem.Keep: backend.Done, idem.HoldIt: backend.Unknown,
	} {
		g := newGuard(t, new(memtest.Store))
		out, err := g.Exec(t.Context(), idem.Call{
			Key: "k", User: "u", Codec: "raw",
			Run: func(context.Context) idem.Answer { return idem.Answer{Payload: []byte("503"), Disposition: d} },
		})
		require.NoError(t, err)
		require.Equal(t, "503", string(out.Payload))
		require.Equal(t, want == backend.Done, out.Kept)
		require.Equal(t, want, state(t, g, "k"))
	}
}
