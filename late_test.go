package idem

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	errWhy   = errors.New("why")
	errOuter = errors.New("outer")
)

type valueKey struct{}

// likeOurs makes a lateContext and the context of package context that it stands for.
var likeOurs = map[string]func(parent context.Context) (late *lateContext, real context.Context, stopReal func(error)){
	"attached": func(parent context.Context) (*lateContext, context.Context, func(error)) {
		real, stop := context.WithCancelCause(parent)
		return &lateContext{parent: parent}, real, stop
	},
	"detached": func(parent context.Context) (*lateContext, context.Context, func(error)) {
		real, stop := context.WithCancelCause(context.WithoutCancel(parent))
		return &lateContext{parent: parent, detached: true}, real, stop
	},
	"with a deadline": func(parent context.Context) (*lateContext, context.Context, func(error)) {
		end := time.Now().Add(time.Second)
		real, stop := context.WithDeadlineCause(parent, end, errBudget)
		return &lateContext{parent: parent, end: end}, real, func(error) { stop() }
	},
	"detached, with a deadline": func(parent context.Context) (*lateContext, context.Context, func(error)) {
		end := time.Now().Add(time.Second)
		real, stop := context.WithDeadlineCause(context.WithoutCancel(parent), end, errBudget)
		return &lateContext{parent: parent, detached: true, end: end}, real, func(error) { stop() }
	},
}

// ends are the ways in which a context may come to its end, or not.
var ends = map[string]func(outer context.CancelCauseFunc, late *lateContext, stopReal func(error)){
	"not at all":    func(context.CancelCauseFunc, *lateContext, func(error)) {},
	"by its parent": func(outer context.CancelCauseFunc, _ *lateContext, _ func(error)) { outer(errOuter) },
	"by time":       func(context.CancelCauseFunc, *lateContext, func(error)) { <-time.After(2 * time.Second) },
	"by its parent and then its owner": func(outer context.CancelCauseFunc, late *lateContext, stopReal func(error)) {
		outer(errOuter)
		late.cancel(errWhy)
		stopReal(errWhy)
	},
	"by time and then its owner": func(_ context.CancelCauseFunc, late *lateContext, stopReal func(error)) {
		<-time.After(2 * time.Second)
		late.cancel(errOuter)
		stopReal(errOuter)
	},
	"by its owner": func(_ context.CancelCauseFunc, late *lateContext, stopReal func(error)) {
		late.cancel(errWhy)
		late.cancel(errOuter)
		stopReal(errWhy)
	},
	"by its owner without a cause": func(_ context.CancelCauseFunc, late *lateContext, stopReal func(error)) {
		late.cancel(nil)
		stopReal(nil)
	},
	"by its owner and then its parent": func(outer context.CancelCauseFunc, late *lateContext, stopReal func(error)) {
		late.cancel(errWhy)
		stopReal(errWhy)
		outer(errOuter)
	},
}

// looks are the ways of looking at a context early, which may make it.
var looks = map[string]func(context.Context){
	"nobody looks": func(context.Context) {},
	"Done":         func(ctx context.Context) { _ = ctx.Done() },
	"Err":          func(ctx context.Context) { _ = ctx.Err() },
	"Cause":        func(ctx context.Context) { _ = context.Cause(ctx) },
	"a child":      func(ctx context.Context) { _, stop := context.WithCancel(ctx); _ = stop },
}

// TestALateContextIsLikeAnyOther holds it against package context in all that can be seen of a context.
func TestALateContextIsLikeAnyOther(t *testing.T) {
	t.Parallel()
	for kind, pair := range likeOurs {
		for end, come := range ends {
			for look, early := range looks {
				t.Run(kind+" ends "+end+", early: "+look, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						outer, stopOuter := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, 1))
						defer stopOuter(nil)
						late, real, stopReal := pair(outer)
						defer stopReal(nil)
						defer late.cancel(nil)
						early(late)
						come(stopOuter, late, stopReal)
						alike(t, real, late)
					})
				})
			}
		}
	}
}

func alike(t *testing.T, want, got context.Context) {
	t.Helper()
	require.Equal(t, want.Value(valueKey{}), got.Value(valueKey{}))
	require.Equal(t, context.Cause(want), context.Cause(got))
	require.Equal(t, want.Err(), got.Err())
	wantEnd, wantHas := want.Deadline()
	gotEnd, gotHas := got.Deadline()
	require.Equal(t, wantHas, gotHas)
	require.True(t, wantEnd.Equal(gotEnd))

	ours, stop := context.WithCancel(got)
	defer stop()
	theirs, stop := context.WithCancel(want)
	defer stop()
	require.Equal(t, context.Cause(theirs), context.Cause(ours), "a child's cause")
	ran := make(chan struct{})
	stopRunning := context.AfterFunc(got, func() { close(ran) })
	defer stopRunning()
	synctest.Wait()
	require.Equal(t, want.Err() != nil, isClosed(ran), "AfterFunc")
	require.Equal(t, want.Err() != nil, isClosed(got.Done()))
	require.Equal(t, theirs.Err(), ours.Err(), "a child")
}

func isClosed[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestALateContextEndsThoseWhoWait: what was taken from it before its end must see the end.
func TestALateContextEndsThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := &lateContext{parent: t.Context(), detached: true}
		child, stop := context.WithCancel(late)
		defer stop()
		late.cancel(errWhy)
		<-late.Done()
		<-child.Done()
		require.Equal(t, errWhy, context.Cause(child))

		timed := &lateContext{parent: t.Context(), end: time.Now().Add(time.Second)}
		<-timed.Done()
		require.Equal(t, errBudget, context.Cause(timed))
	})
}

// TestADroppedContextHasEnded whether or not somebody looked before, and tells those who wait.
func TestADroppedContextHasEnded(t *testing.T) {
	t.Parallel()
	for look, early := range looks {
		synctest.Test(t, func(t *testing.T) {
			late := &lateContext{parent: t.Context(), end: time.Now().Add(time.Second)}
			early(late)
			late.drop()
			late.drop()
			require.ErrorIs(t, late.Err(), context.Canceled, look)
			<-late.Done()
			child, stop := context.WithCancel(late)
			defer stop()
			<-child.Done()
		})
		synctest.Test(t, func(t *testing.T) {
			late := &lateContext{parent: t.Context(), end: time.Now().Add(time.Second)}
			<-late.Done()
			late.drop()
			require.Equal(t, errBudget, context.Cause(late), look)
		})
	}
}

func TestALateContextCostsNothingUntilSomebodyLooks(t *testing.T) {
	parent := context.WithValue(t.Context(), valueKey{}, 1)
	late := &lateContext{parent: parent, detached: true, end: time.Now().Add(time.Hour)}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = late.Err()
		_ = context.Cause(late)
		_ = late.Value(valueKey{})
	}))
	require.Nil(t, late.made.Load())
}
