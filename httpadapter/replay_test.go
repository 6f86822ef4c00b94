package httpadapter_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// everyHeader answers with headers of every kind.
func everyHeader(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Content-Language": "de", "Content-Encoding": "x", "Content-Disposition": "inline",
		"Location": "/orders/1", "Content-Location": "/orders/1", "ETag": `"1"`, "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
		"Retry-After": "7",
		"Set-Cookie":  "session=alice", "WWW-Authenticate": "Bearer", "Date": "Thu, 01 Jan 1970 00:00:00 GMT", "X-Own": "1",
		"Access-Control-Allow-Origin": "*", "Connection": "keep-alive", "X-Added": "2",
	} {
		h.Set(name, value)
	}
	h.Add("Link", "<a>; rel=next")
	h.Add("Link", "<b>; rel=prev")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "{}\n")
}

func TestAReplayHasTheStatusTheBodyAndTheAllowedHeaders(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.ReplayHeaders("x-added"))
	h := s.wrap(everyHeader)

	w := do(h, sent(`1`))
	first(t, w, 202, "{}\n")
	require.Equal(t, "session=alice", w.Header().Get("Set-Cookie"), "the first answer keeps all its headers")
	require.Equal(t, "1", w.Header().Get("X-Own"))
	require.Equal(t, []string{"<a>; rel=next", "<b>; rel=prev"}, w.Header()["Link"])

	w = do(h, sent(`1`))
	replayed(t, w, 202, "{}\n")
	require.Equal(t, http.Header{
		"Content-Type": {"application/json"}, "Content-Language": {"de"}, "Content-Encoding": {"x"},
		"Content-Disposition": {"inline"}, "Location": {"/orders/1"}, "Content-Location": {"/orders/1"}, "Etag": {`"1"`},
		"Last-Modified": {"Thu, 01 Jan 1970 00:00:00 GMT"}, "Retry-After": {"7"}, "X-Added": {"2"},
		"Link":                {"<a>; rel=next", "<b>; rel=prev"},
		"Idempotent-Replayed": {"true"}, "Cache-Control": {"no-store"}, "Content-Length": {"3"},
	}, w.Header())
}

func TestTheHandlersCacheControlIsReplayed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "private, max-age=1") })
	do(h, sent(`1`))
	w := do(h, sent(`1`))
	replayed(t, w, 200, "")
	require.Equal(t, []string{"private, max-age=1"}, w.Header()["Cache-Control"])
}

// TestAHeaderThatIsNoLongerAllowedIsNotReplayed: what is sent is what is allowed now, whatever was stored.
func TestAHeaderThatIsNoLongerAllowedIsNotReplayed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	wide, err := s.m.Route(httpadapter.ReplayHeaders("X-Own"))
	require.NoError(t, err)
	do(wide.Wrap(http.HandlerFunc(everyHeader)), sent(`1`))
	w := do(s.wrap(everyHeader), sent(`1`))
	replayed(t, w, 202, "{}\n")
	require.NotContains(t, w.Header(), "X-Own")
}

func TestNothingOfAReplayIsSharedWithTheStore(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(everyHeader)
	do(h, sent(`1`))
	w := do(h, sent(`1`))
	w.Header()["Link"][0] = "changed"
	w.Header()["Idempotent-Replayed"][0] = "changed"
	require.Equal(t, []string{"<a>; rel=next", "<b>; rel=prev"}, do(h, sent(`1`)).Header()["Link"])
	replayed(t, do(h, sent(`1`)), 202, "{}\n")
}

func TestAnswersWithoutABodyReplay(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204, 304} {
		s := newService(t)
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		one, two := do(h, sent(`1`)), do(h, sent(`1`))
		first(t, one, status, "")
		replayed(t, two, status, "")
		for _, w := range []*httptest.ResponseRecorder{one, two} {
			require.Equal(t, status == 200, w.Header().Get("Content-Length") == "0")
		}
		require.EqualValues(t, 1, s.runs.Load())
	}
}

func TestTheAnswerIsStoredBeforeTheClientGetsIt(t *testing.T) {
	t.Parallel()
	s := newService(t)
	w := &watched{ResponseRecorder: httptest.NewRecorder(), before: func() {
		require.Equal(t, backend.Done, s.state(t))
	}}
	s.wrap(echo).ServeHTTP(w, sent(`1`))
	require.Equal(t, 2, w.calls)
}

// watched calls a function before anything is sent.
type watched struct {
	*httptest.ResponseRecorder
	before func()
	calls  int
}

func (w *watched) WriteHeader(status int) {
	w.before()
	w.calls++
	w.ResponseRecorder.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	w.before()
	w.calls++
	return w.ResponseRecorder.Write(p)
}

func TestAnAnswerThatIsTooLargeIsATombstone(t *testing.T) {
	t.Parallel()
	limits := map[string]func(*service) []httpadapter.Option{
		"for the guard": func(*service) []httpadapter.Option {
			return []httpadapter.Option{httpadapter.Call(idem.MaxResult(512))}
		},
		"for the store": func(s *service) []httpadapter.Option {
			s.store.SetMaxAnswer(512)
			return nil
		},
	}
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			m, err := s.m.Route(limit(s)...)
			require.NoError(t, err)
			body := strings.Repeat("x", 1000)
			h := m.Wrap(s.counted(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/orders/1")
				w.Header().Set("Set-Cookie", "a=1")
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, body)
			}))
			first(t, do(h, sent(`1`)), 201, body)
			w := do(h, sent(`1`))
			p := refused(t, w, 409, idem.CodeAnswerNotKept)
			require.Equal(t, 201, p.OriginalStatus)
			require.Contains(t, p.Detail, "It was done: do not send it again")
			require.Equal(t, "/orders/1", w.Header().Get("Location"))
			require.NotContains(t, w.Header(), "Retry-After")
			require.NotContains(t, w.Header(), "Set-Cookie")
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

// TestAnAttemptThatWasTakenOverGivesTheStoredAnswer is T7: the lease ran out unnoticed, another attempt was faster, and
// the first one's own answer does not count.
func TestAnAttemptThatWasTakenOverGivesTheStoredAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var h http.Handler
	h = s.wrap(func(w http.ResponseWriter, r *http.Request) {
		if s.runs.Load() == 1 {
			s.store.Advance(31 * time.Second)
			first(t, do(h, sent(`1`)), 200, "second attempt")
			_, _ = io.WriteString(w, "first attempt")
			return
		}
		attempt, _ := idem.AttemptFrom(r.Context())
		require.True(t, attempt.Takeover)
		_, _ = io.WriteString(w, "second attempt")
	})
	replayed(t, do(h, sent(`1`)), 200, "second attempt")
	replayed(t, do(h, sent(`1`)), 200, "second attempt")
}

func TestAnAttemptThatWasTakenOverAndHasNoAnswerYetIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, s.guard.Forget(t.Context(), "k-1", "alice"))
		w.Header()["Vary"][0] = "lost"
		_, _ = io.WriteString(w, "lost")
	})
	w := httptest.NewRecorder()
	w.Header().Set("Vary", "Origin")
	h.ServeHTTP(w, sent(`1`))
	refused(t, w, 409, idem.CodeLeaseLost)
	require.Equal(t, "Origin", w.Header().Get("Vary"), "nothing of the lost answer may be left")
	require.Equal(t, "1", w.Header().Get("Retry-After"))
}

func TestAnAnswerThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	w := do(s.m.Wrap(http.HandlerFunc(echo)), sent(`1`))
	require.Equal(t, 201, w.Code)
	// The same record, answered by something that is not this package.
	rec, err := s.guard.Lookup(t.Context(), "k-1", "alice")
	require.NoError(t, err)
	require.NoError(t, s.guard.Forget(t.Context(), "k-1", "alice"))
	_, err = s.guard.Exec(t.Context(), idem.Call{
		Key: "k-1", User: "alice", Fingerprint: rec.Fingerprint, Codec: "http/1",
		Run: func(ctx context.Context) idem.Answer { return idem.Answer{Payload: []byte("junk")} },
	})
	require.NoError(t, err)
	refused(t, do(s.wrap(echo), sent(`1`)), 500, idem.CodeCorrupt)

	require.NoError(t, s.guard.Forget(t.Context(), "k-1", "alice"))
	_, err = s.guard.Exec(t.Context(), idem.Call{
		Key: "k-1", User: "alice", Fingerprint: rec.Fingerprint, Codec: "http/2",
		Run: func(ctx context.Context) idem.Answer { return idem.Answer{Payload: []byte("newer")} },
	})
	require.NoError(t, err)
	refused(t, do(s.wrap(echo), sent(`1`)), 500, idem.CodeVersion)
	require.Zero(t, s.runs.Load())
}

func TestWhereTheStoreIsDownTheHandlerDoesNotRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		down := s.store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1})
		w := do(s.wrap(echo), sent(`1`))
		refused(t, w, 503, idem.CodeUnavailable)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.NotContains(t, w.Body.String(), "injected")
		require.Zero(t, s.runs.Load())
		down.Remove()
		first(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
	})
}

func TestALostAnswerOfTheStoreIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.LoseAck})
		s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Mode: memtest.LoseAck})
		first(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
		replayed(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	})
}

func TestAnAnswerThatCouldNotBeStored(t *testing.T) {
	t.Parallel()
	t.Run("is delivered by default", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
			h := s.wrap(everyHeader)
			w := do(h, sent(`1`))
			first(t, w, 202, "{}\n")
			require.Equal(t, "session=alice", w.Header().Get("Set-Cookie"))
			refused(t, do(h, sent(`1`)), 409, idem.CodeInFlight)
			require.EqualValues(t, 1, s.runs.Load(), "the claim must not have been released")
		})
	})
	t.Run("is refused where that is chosen", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newService(t, httpadapter.OnNotStored(httpadapter.Refuse))
			s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
			w := do(s.wrap(everyHeader), sent(`1`))
			refused(t, w, 500, idem.CodeNotStored)
			require.NotContains(t, w.Header(), "Retry-After", "a client that comes back by itself may do it twice")
			require.NotContains(t, w.Header(), "Set-Cookie")
			require.NotContains(t, w.Body.String(), "injected")
		})
	})
	t.Run("is delivered where the choice was taken back", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newService(t, httpadapter.OnNotStored(httpadapter.Refuse), httpadapter.OnNotStored(httpadapter.Deliver))
			s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
			first(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
		})
	})
	t.Run("is delivered where it could not be held", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newServiceWith(t, idem.Hold)
			s.store.Inject(memtest.Fault{Op: memtest.OpHold, Count: -1})
			h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gateway", http.StatusBadGateway) })
			first(t, do(h, sent(`1`)), 502, "gateway\n")
		})
	})
}
