package httpadapter_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

// slow answers like echo, after a time on the bubble's clock.
func slow(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		<-time.After(d)
		echo(w, r)
	}
}

// begun serves a request in the background and returns when its handler runs.
func begun(h http.Handler, r *http.Request) <-chan *httptest.ResponseRecorder {
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- do(h, r) }()
	synctest.Wait()
	return done
}

func TestADuplicateInFlightIsToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		h := s.wrap(slow(time.Minute))
		firstOne := begun(h, sent(`1`))
		for _, after := range []struct{ run, retry string }{{"0s", "1"}, {"4.5s", "5"}, {"0.5s", "5"}, {"15s", "20"}} {
			d, err := time.ParseDuration(after.run)
			require.NoError(t, err)
			<-time.After(d)
			w := do(h, sent(`1`))
			p := refused(t, w, 409, idem.CodeInFlight)
			require.Equal(t, "A request is outstanding for this Idempotency-Key", p.Title)
			require.Equal(t, after.retry, w.Header().Get("Retry-After"))
		}
		refused(t, do(h, sent(`2`)), 422, idem.CodeMismatch)
		first(t, <-firstOne, 201, `1`)
		replayed(t, do(h, sent(`1`)), 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	})
}

func TestAHandlerMayRunForLongerThanTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, httpadapter.Call(idem.Lease(3*time.Second)))
		h := s.wrap(slow(time.Minute))
		firstOne := begun(h, sent(`1`))
		<-time.After(30 * time.Second)
		refused(t, do(h, sent(`1`)), 409, idem.CodeInFlight)
		first(t, <-firstOne, 201, `1`)
		replayed(t, do(h, sent(`1`)), 201, `1`)
	})
}

func TestADuplicateMayWaitForTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, httpadapter.Call(idem.Wait(10*time.Second)))
		h := s.wrap(slow(5 * time.Second))
		firstOne := begun(h, sent(`1`))
		replayed(t, do(h, sent(`1`)), 201, `1`)
		first(t, <-firstOne, 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	})
}

func TestAWaiterThatGivesUpLeavesTheOwnerAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, httpadapter.Call(idem.Wait(time.Second)))
		h := s.wrap(slow(5 * time.Second))
		firstOne := begun(h, sent(`1`))
		refused(t, do(h, sent(`1`)), 409, idem.CodeInFlight)

		ctx, hangUp := context.WithCancel(t.Context())
		gone := begun(h, sent(`1`).WithContext(ctx))
		hangUp()
		refused(t, <-gone, 503, idem.CodeContextCanceled)

		require.Equal(t, backend.Pending, s.state(t))
		first(t, <-firstOne, 201, `1`)
		replayed(t, do(h, sent(`1`)), 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	})
}

// TestMaxRunEndsTheHandlersContext: nothing else bounds a handler that is detached from its client.
func TestMaxRunEndsTheHandlersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, httpadapter.Call(idem.MaxRun(40*time.Second)))
		began := time.Now()
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			require.ErrorIs(t, context.Cause(r.Context()), idem.ErrMaxRun)
			http.Error(w, "too slow", http.StatusGatewayTimeout)
		})
		first(t, do(h, sent(`1`)), 504, "too slow\n")
		require.Equal(t, 40*time.Second, time.Since(began))
		require.Equal(t, backend.Absent, s.state(t))
	})
}

// TestATimeoutHandlerFurtherOutLosesNoAnswer: it gives up on the client, not on the handler.
func TestATimeoutHandlerFurtherOutLosesNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		h := http.TimeoutHandler(s.wrap(slow(5*time.Second)), time.Second, "timed out")
		w := do(h, sent(`1`))
		require.Equal(t, 503, w.Code)
		require.Equal(t, "timed out", w.Body.String())
		<-time.After(5 * time.Second)
		synctest.Wait()
		replayed(t, do(h, sent(`1`)), 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	})
}

func TestAnAnswerReplaysForItsRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, httpadapter.Call(idem.Retention(time.Hour)))
		h := s.wrap(echo)
		first(t, do(h, sent(`1`)), 201, `1`)
		<-time.After(time.Hour - time.Second)
		replayed(t, do(h, sent(`1`)), 201, `1`)
		<-time.After(2 * time.Second)
		first(t, do(h, sent(`2`)), 201, `2`)
	})
}
