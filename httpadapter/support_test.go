package httpadapter_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// service is one guarded service: a store, a guard over it and a middleware.
type service struct {
	store *memtest.Store
	guard *idem.Guard
	m     *httpadapter.Middleware
	runs  atomic.Int32
}

// userHeader stands for authentication in these tests.
const userHeader = "X-Test-User"

func byHeader(r *http.Request) (idem.User, error) { return idem.User(r.Header.Get(userHeader)), nil }

func newService(t testing.TB, opts ...httpadapter.Option) *service {
	return newServiceWith(t, idem.Rerun, opts...)
}

func newServiceWith(t testing.TB, guarantee idem.Guarantee, opts ...httpadapter.Option) *service {
	t.Helper()
	store := new(memtest.Store)
	s := &service{store: store, guard: newGuard(t, store, guarantee)}
	s.m = newMiddleware(t, s.guard, opts...)
	return s
}

func newGuard(t testing.TB, store backend.Store, opts ...idem.GuardOption) *idem.Guard {
	t.Helper()
	g, err := idem.New("orders", store, opts...)
	require.NoError(t, err)
	return g
}

func newMiddleware(t testing.TB, g *idem.Guard, opts ...httpadapter.Option) *httpadapter.Middleware {
	t.Helper()
	m, err := httpadapter.New(g, byHeader, opts...)
	require.NoError(t, err)
	return m
}

// wrap guards a handler and counts its runs.
func (s *service) wrap(h http.HandlerFunc) http.Handler { return s.m.Wrap(s.counted(h)) }

func (s *service) counted(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		h(w, r)
	})
}

// state returns the state of alice's record under the key k-1.
func (s *service) state(t testing.TB) backend.State {
	t.Helper()
	rec, err := s.guard.Lookup(context.Background(), "k-1", "alice")
	if idem.CodeOf(err) == idem.CodeNotFound {
		return backend.Absent
	}
	require.NoError(t, err)
	return rec.State
}

// sent is a request: POST /orders by alice under the key k-1 unless change says otherwise.
func sent(body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", "k-1")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(userHeader, "alice")
	for _, c := range change {
		c(r)
	}
	return r
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(name) }
}

// to sends the request elsewhere.
func to(method, target string) func(*http.Request) {
	return func(r *http.Request) {
		other := httptest.NewRequest(method, target, http.NoBody)
		r.Method, r.URL, r.RequestURI = method, other.URL, target
	}
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// problem is a body of the type application/problem+json.
type problem struct {
	Type           string
	Title          string
	Status         int
	Detail         string
	Code           idem.Code
	OriginalStatus int `json:"original_status"`
}

// refused asserts that w is a problem with the given status and code.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, code idem.Code) problem {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), w.Body.String())
	require.Equal(t, status, p.Status)
	require.Equal(t, code, p.Code)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

// replayed asserts that w is a replay with the given status and body.
func replayed(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "true", w.Header().Get("Idempotent-Replayed"))
	require.Equal(t, body, w.Body.String())
}

// first asserts that w is the answer of a handler that ran.
func first(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Empty(t, w.Header().Get("Idempotent-Replayed"))
	require.Equal(t, body, w.Body.String())
}

// echo answers 201 with the body that it got.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
}
