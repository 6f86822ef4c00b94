package idem_test

import (
	"context"
	"fmt"
	"runtime"
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

// ledger stands for the rows that fn writes in its transaction.
type ledger struct{ rows, runs atomic.Int64 }

func (l *ledger) write(_ context.Context, tx *memtest.Tx, c charge) (receipt, error) {
	l.runs.Add(1)
	tx.OnCommit(func() { l.rows.Add(1) })
	return receipt{"row", c.Cents}, nil
}

func (l *ledger) then(err error) func(context.Context, *memtest.Tx, charge) (receipt, error) {
	return func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
		_, _ = l.write(ctx, tx, c)
		return receipt{}, err
	}
}

func (l *ledger) requireRows(t *testing.T, n int) {
	t.Helper()
	require.EqualValues(t, n, l.rows.Load())
}

func TestInATransactionEffectAndAnswerCommitTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var l ledger
		first, err := idem.DoTxResult(t.Context(), g, "k", "u", five, l.write)
		require.NoError(t, err)
		require.Equal(t, idem.Result[receipt]{Value: receipt{"row", 500}, Attempt: 1, Kept: true}, first)
		again, err := idem.DoTxResult(t.Context(), g, "k", "u", five, l.write)
		require.NoError(t, err)
		require.True(t, again.Replayed)
		require.Equal(t, first.Value, again.Value)
		_, err = idem.DoTx(t.Context(), g, "k", "u", six, l.write)
		require.ErrorIs(t, err, idem.ErrMismatch)
		l.requireRows(t, 1)
	}, idem.Tx)
}

func TestInATransactionWhatFnReturnsDecides(t *testing.T) {
	t.Parallel()
	t.Run("a plain error rolls everything back", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			var l ledger
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.then(errDeclined))
			require.Equal(t, errDeclined, err)
			l.requireRows(t, 0)
			_, err = idem.DoTx(t.Context(), g, "k", "u", five, l.write)
			require.NoError(t, err)
			l.requireRows(t, 1)
		}, idem.Tx)
	})
	t.Run("Final rolls back and is then stored", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			var l ledger
			for range 2 {
				_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.then(idem.Final(errDeclined)))
				require.Equal(t, &idem.FinalError{Message: "declined"}, err)
			}
			l.requireRows(t, 0)
			require.EqualValues(t, 1, l.runs.Load())
		}, idem.Tx)
	})
	t.Run("Uncertain rolls back and then holds, with its note", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			var l ledger
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
				require.NoError(t, idem.Note(ctx, "pi_1"))
				return l.then(idem.Uncertain(errDeclined))(ctx, tx, c)
			})
			require.ErrorIs(t, err, errDeclined)
			_, err = idem.DoTx(t.Context(), g, "k", "u", five, l.write)
			require.ErrorIs(t, err, idem.ErrUnknownOutcome)
			l.requireRows(t, 0)
			rec, err := g.Lookup(t.Context(), "k", "u")
			require.NoError(t, err)
			require.Equal(t, "pi_1", rec.Note)
		}, idem.Tx)
	})
	t.Run("a panic rolls back and keeps its course", func(t *testing.T) {
		t.Parallel()
		var seen events
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			var l ledger
			require.PanicsWithValue(t, "boom", func() {
				_, _ = idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
					_, _ = l.write(ctx, tx, c)
					panic("boom")
				})
			})
			l.requireRows(t, 0)
			require.Equal(t, backend.Absent, state(t, g, "k"))
			require.Equal(t, []string{"claimed", "released"}, seen.kinds())
		}, idem.Tx, idem.WithObserver(&seen))
	})
	t.Run("Goexit rolls back", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			var l ledger
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _ = idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
					_, _ = l.write(ctx, tx, c)
					runtime.Goexit()
					return receipt{}, nil
				})
			})
			wg.Wait()
			l.requireRows(t, 0)
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.write)
			require.NoError(t, err)
		}, idem.Tx)
	})
}

func TestAFinalErrorThatCannotBeStoredSaysSo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		var l ledger
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
			store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1, Err: errDown})
			return l.then(idem.Final(errDeclined))(ctx, tx, c)
		})
		require.ErrorIs(t, err, idem.ErrNotStored)
		require.ErrorIs(t, err, errDeclined)
		require.Equal(t, backend.Absent, state(t, g, "k"))
	}, idem.Tx)
}

func TestAFinalErrorGivesWayToWhoClaimedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(memtest.Store)
		var l ledger
		g := newGuard(t, store, idem.Tx)
		between := &betweenTx{Store: store}
		between.then = func() {
			_, err := idem.DoTx(context.Background(), g, "k", "u", five, l.write)
			require.NoError(t, err)
		}
		res, err := idem.DoTxResult(t.Context(), newGuard(t, between, idem.Tx), "k", "u", five, l.then(idem.Final(errDeclined)))
		require.NoError(t, err)
		require.Equal(t, receipt{"row", 500}, res.Value)
		require.True(t, res.Replayed)
		l.requireRows(t, 1)
	})
}

// The server may take a while to see that the connection of the first transaction is gone.
func TestAFinalErrorIsStoredOnceItsOwnTransactionIsSeenToBeOver(t *testing.T) {
	t.Parallel()
	for _, mark := range []func(error) error{idem.Final, idem.Uncertain} {
		synctest.Test(t, func(t *testing.T) {
			store := new(memtest.Store)
			var l ledger
			slow := &inFlightTx{Store: store, times: 5}
			_, err := idem.DoTx(t.Context(), newGuard(t, slow, idem.Tx), "k", "u", five, l.then(mark(errDeclined)))
			require.EqualError(t, err, errDeclined.Error())
			require.NotErrorIs(t, err, idem.ErrNotStored)
			require.NotEqual(t, backend.Absent, state(t, newGuard(t, store, idem.Tx), "k"))
			l.requireRows(t, 0)
		})
	}
}

func TestAFinalErrorThatAnothersTransactionKeepsFromBeingStoredSaysSo(t *testing.T) {
	t.Parallel()
	for _, mark := range []func(error) error{idem.Final, idem.Uncertain} {
		synctest.Test(t, func(t *testing.T) {
			var l ledger
			g := newGuard(t, &inFlightTx{Store: new(memtest.Store), times: 1 << 20}, idem.Tx)
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.then(mark(errDeclined)))
			require.ErrorIs(t, err, idem.ErrNotStored)
			require.ErrorIs(t, err, errDeclined)
			require.ErrorIs(t, err, idem.ErrInFlight)
		})
	}
}

// inFlightTx says of transactions after the first that another is in flight, so many times.
type inFlightTx struct {
	*memtest.Store
	began, times int
}

func (s *inFlightTx) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *memtest.Tx, backend.TxStore) error) (backend.Grant, error) {
	if s.began++; s.began > 1 && s.began <= 1+s.times {
		return backend.Grant{Verdict: backend.InFlight, LeaseLeft: c.Lease}, nil
	}
	return s.Store.InTx(ctx, c, run)
}

func TestAnAnswerThatTheTransactionDoesNotTakeInTimeEndsIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		var l ledger
		store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1, Mode: memtest.Delay, Delay: time.Hour})
		began := time.Now()
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.write)
		require.ErrorIs(t, err, idem.ErrUnavailable)
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, backend.Absent, state(t, g, "k"))
		l.requireRows(t, 0)
	}, idem.Tx)
}

// betweenTx runs something after the first transaction.
type betweenTx struct {
	*memtest.Store
	once sync.Once
	then func()
}

func (s *betweenTx) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *memtest.Tx, backend.TxStore) error) (backend.Grant, error) {
	grant, err := s.Store.InTx(ctx, c, run)
	s.once.Do(s.then)
	return grant, err
}

func TestADuplicateOfAnOpenTransactionGetsInFlightAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var l ledger
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
			began := time.Now()
			_, err := idem.DoTx(context.Background(), g, "k", "u", five, l.write)
			require.ErrorIs(t, err, idem.ErrInFlight)
			require.Zero(t, time.Since(began))
			return l.write(ctx, tx, c)
		})
		require.NoError(t, err)
		l.requireRows(t, 1)
	}, idem.Tx)
}

func TestADuplicateOfAnOpenTransactionMayWait(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var l ledger
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
					time.Sleep(5 * time.Second)
					return l.write(ctx, tx, c)
				}, idem.Wait(time.Minute))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		l.requireRows(t, 1)
		require.EqualValues(t, 1, l.runs.Load())
	}, idem.Tx)
}

func TestATransactionThatTheDatabaseRolledBackRunsAgain(t *testing.T) {
	t.Parallel()
	var seen events
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpCommit, Count: 3, Err: backend.ErrConflict})
		var l ledger
		var reruns []int
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
			attempt, _ := idem.AttemptFrom(ctx)
			require.Equal(t, 1, attempt.Number)
			reruns = append(reruns, attempt.Rerun)
			return l.write(ctx, tx, c)
		})
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 2, 3}, reruns)
		l.requireRows(t, 1)
		require.Contains(t, seen.kinds(), "restarted")
	}, idem.Tx, idem.WithObserver(&seen))
}

func TestRestartsAreBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		store.Inject(memtest.Fault{Op: memtest.OpCommit, Count: -1, Err: backend.ErrConflict})
		var l ledger
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.write)
		require.ErrorIs(t, err, idem.ErrConflict)
		require.ErrorContains(t, err, "11 times")
		require.EqualValues(t, 11, l.runs.Load())
		l.requireRows(t, 0)
	}, idem.Tx)
}

func TestAConflictThatFnReturnsRunsAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var l ledger
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
			if l.runs.Load() == 0 {
				return l.then(fmt.Errorf("insert: %w", backend.ErrConflict))(ctx, tx, c)
			}
			return l.write(ctx, tx, c)
		})
		require.NoError(t, err)
		l.requireRows(t, 1)
	}, idem.Tx)
}

func TestACommitWithoutAnswer(t *testing.T) {
	t.Parallel()
	unknown := fmt.Errorf("connection reset: %w", backend.ErrCommitUnknown)
	t.Run("that took effect is found to have", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			store.Inject(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.LoseAck})
			var l ledger
			res, err := idem.DoTxResult(t.Context(), g, "k", "u", five, l.write)
			require.NoError(t, err)
			require.True(t, res.Kept)
			require.EqualValues(t, 1, l.runs.Load())
			l.requireRows(t, 1)
		}, idem.Tx)
	})
	t.Run("that did not is run again", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			store.Inject(memtest.Fault{Op: memtest.OpCommit, Err: unknown})
			var l ledger
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.write)
			require.NoError(t, err)
			require.EqualValues(t, 2, l.runs.Load())
			l.requireRows(t, 1)
		}, idem.Tx)
	})
	t.Run("that cannot be settled is ErrCommitUnknown, and nothing is run again", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			store.Inject(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.LoseAck})
			down := store.Inject(memtest.Fault{Op: memtest.OpSettle, Count: -1, Err: errDown})
			var l ledger
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.write)
			require.ErrorIs(t, err, idem.ErrCommitUnknown)
			require.ErrorIs(t, err, errDown)
			require.Equal(t, idem.CodeCommitUnknown, idem.CodeOf(err))
			down.Remove()
			res, err := idem.DoTxResult(t.Context(), g, "k", "u", five, l.write)
			require.NoError(t, err)
			require.True(t, res.Replayed)
			l.requireRows(t, 1)
		}, idem.Tx)
	})
	t.Run("of a hold that took effect is found to have", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			store.Inject(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.LoseAck})
			_, err := idem.DoTx(t.Context(), g, "k", "u", five, new(ledger).then(idem.Uncertain(errDeclined)))
			require.ErrorIs(t, err, errDeclined)
			require.Equal(t, backend.Unknown, state(t, g, "k"))
		}, idem.Tx)
	})
	t.Run("of a Final error that took effect is found to have", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			store.Inject(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.LoseAck})
			var l ledger
			for range 2 {
				_, err := idem.DoTx(t.Context(), g, "k", "u", five, l.then(idem.Final(errDeclined)))
				require.Equal(t, &idem.FinalError{Message: "declined"}, err)
			}
			require.EqualValues(t, 1, l.runs.Load())
		}, idem.Tx)
	})
}

func TestMaxRunEndsATransaction(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var l ledger
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
			<-ctx.Done()
			return l.then(ctx.Err())(ctx, tx, c)
		}, idem.MaxRun(time.Minute))
		require.ErrorIs(t, err, idem.ErrMaxRun)
		l.requireRows(t, 0)
		require.Equal(t, backend.Absent, state(t, g, "k"))
	}, idem.Tx)
}

func TestAClientThatHangsUpEndsHisTransactionUnlessDetached(t *testing.T) {
	t.Parallel()
	for _, detached := range []bool{false, true} {
		inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
			ctx, hangUp := context.WithCancel(t.Context())
			var opts []idem.CallOption
			if detached {
				opts = append(opts, idem.Detached())
			}
			var l ledger
			_, err := idem.DoTx(ctx, g, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
				hangUp()
				synctest.Wait()
				if !detached {
					require.Error(t, ctx.Err())
				}
				return l.write(ctx, tx, c)
			}, opts...)
			if detached {
				require.NoError(t, err)
				l.requireRows(t, 1)
				return
			}
			require.ErrorIs(t, err, context.Canceled)
			l.requireRows(t, 0)
		}, idem.Tx)
	}
}

func TestALargeAnswerOfATransactionBecomesATombstone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		var l ledger
		res, err := idem.DoTxResult(t.Context(), g, "k", "u", five, l.write)
		require.NoError(t, err)
		require.False(t, res.Kept)
		require.Equal(t, receipt{"row", 500}, res.Value)
		_, err = idem.DoTx(t.Context(), g, "k", "u", five, l.write)
		require.ErrorIs(t, err, idem.ErrAnswerNotKept)
		l.requireRows(t, 1)
	}, idem.Tx, idem.MaxResult(4))
}

func TestReentryInATransactionIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *memtest.Store, g *idem.Guard) {
		_, err := idem.DoTx(t.Context(), g, "k", "u", five, func(ctx context.Context, _ *memtest.Tx, c charge) (receipt, error) {
			return idem.DoTx(ctx, g, "k", "u", c, new(ledger).write)
		})
		require.ErrorIs(t, err, idem.ErrReentrant)
	}, idem.Tx)
}

func TestJoinTxCountsOnceTheCallerCommits(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		var l ledger
		for _, commit := range []bool{false, true, true} {
			tx := store.BeginTx(t.Context())
			_, err := idem.JoinTx(t.Context(), g, tx, "k", "u", five, l.write)
			require.NoError(t, err)
			if commit {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
			}
		}
		l.requireRows(t, 1)
		require.EqualValues(t, 2, l.runs.Load(), "the third replayed")
	}, idem.Tx)
}

func TestJoinTxRollsBackToItsSavepointOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		then backend.State
	}{
		{"a plain error removes the claim", errDeclined, backend.Absent},
		{"Final is stored in the caller's transaction", idem.Final(errDeclined), backend.Done},
		{"Uncertain holds in the caller's transaction", idem.Uncertain(errDeclined), backend.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
				var outer atomic.Int64
				var l ledger
				tx := store.BeginTx(t.Context())
				tx.OnCommit(func() { outer.Add(1) })
				_, err := idem.JoinTx(t.Context(), g, tx, "k", "u", five, l.then(c.err))
				require.EqualError(t, err, "declined")
				require.NoError(t, tx.Commit())
				require.EqualValues(t, 1, outer.Load(), "the caller's own writes are untouched")
				l.requireRows(t, 0)
				require.Equal(t, c.then, state(t, g, "k"))
			}, idem.Tx)
		})
	}
}

func TestAPanicInAJoinedTransactionLeavesNoClaim(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
		var l ledger
		tx := store.BeginTx(t.Context())
		require.PanicsWithValue(t, "boom", func() {
			_, _ = idem.JoinTx(t.Context(), g, tx, "k", "u", five, func(ctx context.Context, tx *memtest.Tx, c charge) (receipt, error) {
				_, _ = l.write(ctx, tx, c)
				panic("boom")
			})
		})
		require.NoError(t, tx.Commit())
		l.requireRows(t, 0)
		require.Equal(t, backend.Absent, state(t, g, "k"))
	}, idem.Tx)
}

func TestJoinTxThatCannotWriteItsOutcomeSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op  memtest.Op
		err error
	}{{memtest.OpComplete, nil}, {memtest.OpRelease, errDeclined}, {memtest.OpHold, idem.Uncertain(errDeclined)}} {
		inBubble(t, func(t *testing.T, store *memtest.Store, g *idem.Guard) {
			store.Inject(memtest.Fault{Op: c.op, Count: -1, Err: errDown})
			tx := store.BeginTx(t.Context())
			_, err := idem.JoinTx(t.Context(), g, tx, "k", "u", five, new(ledger).then(c.err))
			require.ErrorIs(t, err, idem.ErrNotStored)
			require.ErrorIs(t, err, errDown)
			if c.err != nil {
				require.ErrorIs(t, err, errDeclined)
			}
			require.NoError(t, tx.Rollback())
		}, idem.Tx)
	}
}

func TestCallsMustFitTheGuarantee(t *testing.T) {
	t.Parallel()
	store := new(memtest.Store)
	rerun, tx := newGuard(t, store), newGuard(t, store, idem.Tx)
	_, err := idem.Do(t.Context(), tx, "k", "u", five, new(gateway).charge)
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)
	_, err = tx.Exec(t.Context(), idem.Call{})
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)
	_, err = idem.DoTx(t.Context(), rerun, "k", "u", five, new(ledger).write)
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)
	_, err = idem.JoinTx(t.Context(), rerun, store.BeginTx(t.Context()), "k", "u", five, new(ledger).write)
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)
}

func TestAStoreWithoutTheTransactionIsNamed(t *testing.T) {
	t.Parallel()
	_, err := idem.New("test", bare{new(memtest.Store)}, idem.Tx)
	require.ErrorIs(t, err, idem.ErrNoTransactions)
	require.ErrorContains(t, err, "idem_test.bare")

	g := newGuard(t, new(memtest.Store), idem.Tx)
	_, err = idem.DoTx(t.Context(), g, "k", "u", five, func(context.Context, *receipt, charge) (receipt, error) {
		return receipt{}, nil
	})
	require.ErrorIs(t, err, idem.ErrNoTransactions)
	require.ErrorContains(t, err, "*idem_test.receipt")
	require.ErrorContains(t, err, "*memtest.Tx")
}

func TestAJoinedClaimThatIsGoneIsLost(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store *memtest.Store, _ *idem.Guard) {
		g := newGuard(t, cascadingStore{store}, idem.Tx)
		tx := store.BeginTx(t.Context())
		_, err := idem.JoinTx(t.Context(), g, tx, "k", "u", five, new(ledger).write)
		require.ErrorIs(t, err, idem.ErrLeaseLost)
		require.NoError(t, tx.Rollback())
		_, err = idem.DoTx(t.Context(), g, "k", "u", five, new(ledger).write)
		require.ErrorIs(t, err, idem.ErrLeaseLost)
	})
}

// cascadingStore loses every claim before it is completed, as one whose user was deleted in the same transaction.
type cascadingStore struct{ *memtest.Store }

func (s cascadingStore) Join(tx *memtest.Tx) (backend.TxStore, error) {
	joined, err := s.Store.Join(tx)
	return cascadingTx{joined}, err
}

func (s cascadingStore) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *memtest.Tx, backend.TxStore) error) (backend.Grant, error) {
	return s.Store.InTx(ctx, c, func(ctx context.Context, tx *memtest.Tx, s backend.TxStore) error {
		return run(ctx, tx, cascadingTx{s})
	})
}

type cascadingTx struct{ backend.TxStore }

func (cascadingTx) Complete(context.Context, backend.ID, backend.Token, backend.Completion) (backend.Grant, error) {
	return backend.Grant{Verdict: backend.Lost}, nil
}

func TestAStoreThatClaimsAndRunsNothingIsNotBelieved(t *testing.T) {
	t.Parallel()
	g := newGuard(t, idleStore{new(memtest.Store)}, idem.Tx)
	_, err := idem.DoTx(t.Context(), g, "k", "u", five, new(ledger).write)
	require.ErrorIs(t, err, idem.ErrUnavailable)
}

type idleStore struct{ *memtest.Store }

func (idleStore) InTx(context.Context, backend.Claim, func(context.Context, *memtest.Tx, backend.TxStore) error) (backend.Grant, error) {
	return backend.Grant{Verdict: backend.Claimed, Attempt: 1}, nil
}
