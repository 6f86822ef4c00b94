package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

func TestTheFirstAnswerIsStoredAndReplayed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(echo)
	first(t, do(h, sent(`{"amount":5}`)), 201, `{"amount":5}`)
	replayed(t, do(h, sent(`{"amount":5}`)), 201, `{"amount":5}`)
	require.EqualValues(t, 1, s.runs.Load())
	require.Equal(t, backend.Done, s.state(t))
}

func TestAKeyBelongsToItsUser(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		user, ok := httpadapter.UserOf(r.Context())
		require.True(t, ok)
		_, _ = io.WriteString(w, "for "+string(user))
	})
	first(t, do(h, sent(`1`)), 200, "for alice")
	first(t, do(h, sent(`1`, header(userHeader, "bob"))), 200, "for bob")
	replayed(t, do(h, sent(`1`)), 200, "for alice")
}

func TestMethodsThatAreNotGuardedPassUntouched(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			r, w := sent(`1`, to(method, "/orders"), header("Idempotency-Key", "")), httptest.NewRecorder()
			s.m.Serve(w, httpadapter.Exchange{Request: r, Next: func(gotW http.ResponseWriter, gotR *http.Request) {
				s.runs.Add(1)
				require.Same(t, w, gotW)
				require.Same(t, r, gotR)
			}})
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

func TestMethodsChoosesWhatIsGuarded(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Methods("DELETE"))
	h := s.wrap(echo)
	refused(t, do(h, sent(``, to("DELETE", "/orders/1"), without("Idempotency-Key"))), 400, idem.CodeMissingKey)
	first(t, do(h, sent(`1`, without("Idempotency-Key"))), 201, `1`)
}

func TestOptionalRoutesPassRequestsWithoutAKeyUntouched(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Optional())
	r, w := sent(`1`, without("Idempotency-Key")), httptest.NewRecorder()
	s.m.Serve(w, httpadapter.Exchange{Request: r, Next: func(gotW http.ResponseWriter, gotR *http.Request) {
		s.runs.Add(1)
		require.Same(t, w, gotW)
		require.Same(t, r, gotR)
		_, ok := httpadapter.UserOf(gotR.Context())
		require.False(t, ok)
	}})
	require.EqualValues(t, 1, s.runs.Load())

	h := s.wrap(echo)
	first(t, do(h, sent(`1`)), 201, `1`)
	replayed(t, do(h, sent(`1`)), 201, `1`)
	refused(t, do(h, sent(`1`, header("Idempotency-Key", ""))), 400, idem.CodeInvalidKey)
}

func TestRequestsThatPassAllocateNothing(t *testing.T) {
	s := newService(t, httpadapter.Optional())
	h := s.m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, w := sent(``, without("Idempotency-Key")), httptest.NewRecorder()
	require.Zero(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }))
}

// TestTheOrderOfRefusals gives each request everything that is wrong from one place in the order on, so that the first
// one must be what is answered.
func TestTheOrderOfRefusals(t *testing.T) {
	t.Parallel()
	type step struct {
		name   string
		spoil  func(*http.Request)
		status int
		code   idem.Code
	}
	steps := []step{
		{"the header is absent", without("Idempotency-Key"), 400, idem.CodeMissingKey},
		{"the header's syntax", header("Idempotency-Key", `"`), 400, idem.CodeInvalidKey},
		{"the user", without(userHeader), 401, idem.CodeMissingUser},
		{"a user that cannot be one", header(userHeader, "a\x01"), 401, idem.CodeInvalidUser},
		{"the length that was announced", func(r *http.Request) { r.ContentLength = 1 << 30 }, 413, httpadapter.CodeBodyTooLarge},
		{"a body that was read", func(r *http.Request) { r.PostForm = map[string][]string{} }, 500, httpadapter.CodeBodyRead},
		{"a body that cannot be read", func(r *http.Request) { r.Body = io.NopCloser(broken{}) }, 400, httpadapter.CodeBodyUnreadable},
	}
	for i, at := range steps {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.store.StartLog()
			r := sent(`1`)
			for j := len(steps) - 1; j >= i; j-- {
				steps[j].spoil(r)
			}
			body := &counting{from: r.Body}
			r.Body = body
			refused(t, do(s.wrap(echo), r), at.status, at.code)
			require.Zero(t, s.runs.Load())
			require.Empty(t, s.store.Calls(), "nothing may be claimed")
			if at.code != httpadapter.CodeBodyUnreadable {
				require.Zero(t, body.reads, "the body must not be touched")
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the network's secret") }

// counting counts how often a body is read.
type counting struct {
	from  io.ReadCloser
	reads int
}

func (c *counting) Read(p []byte) (int, error) { c.reads++; return c.from.Read(p) }
func (c *counting) Close() error               { return c.from.Close() }

func TestAnErrorOfTheUserFuncIsAnswered(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		user   idem.User
		err    error
		status int
		code   idem.Code
	}{
		"no user":                       {"", nil, 401, idem.CodeMissingUser},
		"a missing user":                {"", fmt.Errorf("no token: %w", idem.ErrMissingUser), 401, idem.CodeMissingUser},
		"an invalid user":               {"", fmt.Errorf("bad token: %w", idem.ErrInvalidUser), 401, idem.CodeInvalidUser},
		"a user that cannot be a user":  {"a\nb", nil, 401, idem.CodeInvalidUser},
		"a database that is down":       {"", errors.New("canary"), 503, httpadapter.CodeUserUnknown},
		"an error beside a user":        {"alice", errors.New("canary"), 503, httpadapter.CodeUserUnknown},
		"a problem":                     {"", &httpadapter.Problem{Status: 418}, 503, httpadapter.CodeUserUnknown},
		"another error of package idem": {"", idem.ErrMismatch, 503, httpadapter.CodeUserUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			m, err := httpadapter.New(s.guard, func(*http.Request) (idem.User, error) { return c.user, c.err },
				httpadapter.Challenge(`Basic realm="orders"`))
			require.NoError(t, err)
			w := do(m.Wrap(s.counted(echo)), sent(`1`))
			refused(t, w, c.status, c.code)
			require.NotContains(t, w.Body.String(), "canary")
			require.Zero(t, s.runs.Load())
			if c.status == 401 {
				require.Equal(t, `Basic realm="orders"`, w.Header().Get("WWW-Authenticate"))
			} else {
				require.Equal(t, "1", w.Header().Get("Retry-After"))
			}
		})
	}
}

func TestTheChallengeIsBearerByDefault(t *testing.T) {
	t.Parallel()
	w := do(newService(t).wrap(echo), sent(`1`, without(userHeader)))
	require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
}

func TestTheHandlersContextIsDetachedAndKeepsItsValues(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	s := newService(t)
	ctx, hangUp := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		hangUp()
		require.NoError(t, r.Context().Err())
		_, limited := r.Context().Deadline()
		require.False(t, limited)
		require.Equal(t, "kept", r.Context().Value(valueKey{}))
		attempt, ok := idem.AttemptFrom(r.Context())
		require.True(t, ok)
		require.Equal(t, idem.Attempt{Number: 1, Key: "k-1"}, attempt)
		child, err := idem.ChildKey(r.Context(), "gateway")
		require.NoError(t, err)
		require.NotEmpty(t, child)
		_, _ = io.WriteString(w, "done")
	})
	first(t, do(h, sent(`1`).WithContext(ctx)), 200, "done")
	replayed(t, do(h, sent(`1`)), 200, "done")
}

func TestAClientThatIsGoneBeforeTheClaimRunsNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	refused(t, do(s.wrap(echo), sent(`1`).WithContext(ctx)), 503, idem.CodeContextCanceled)
	require.Zero(t, s.runs.Load())
	require.Equal(t, backend.Absent, s.state(t))
}

func TestPanicsPassAndTheNextRequestRuns(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"a panic": "boom", "http.ErrAbortHandler": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
				if s.runs.Load() == 1 {
					panic(value)
				}
				echo(w, r)
			})
			require.PanicsWithValue(t, value, func() { do(h, sent(`1`)) })
			require.Equal(t, backend.Absent, s.state(t))
			first(t, do(h, sent(`1`)), 201, `1`)
		})
	}
}

func TestGoexitPassesAndTheNextRequestRuns(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		if s.runs.Load() == 1 {
			runtime.Goexit()
		}
		echo(w, r)
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do(h, sent(`1`))
		t.Error("Goexit did not pass")
	}()
	<-ended
	first(t, do(h, sent(`1`)), 201, `1`)
}

func TestAPanicUnderHoldIsHeld(t *testing.T) {
	t.Parallel()
	s := newServiceWith(t, idem.Hold)
	h := s.wrap(func(http.ResponseWriter, *http.Request) { panic("boom") })
	require.Panics(t, func() { do(h, sent(`1`)) })
	require.Equal(t, backend.Unknown, s.state(t))
	w := do(h, sent(`1`))
	refused(t, w, 409, idem.CodeUnknownOutcome)
	require.Empty(t, w.Header().Get("Retry-After"))
	require.EqualValues(t, 1, s.runs.Load())
}

// TestARequestOfTheHandlersOwnIsGuarded: only the same request passes. What a handler sends to itself in process, with
// the context that it was given, is a request like any other.
