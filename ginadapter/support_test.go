package ginadapter_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode) // no routes and warnings in the tests' output
	os.Exit(m.Run())
}

// service is one guarded service: a store, a guard over it, a middleware, and an engine.
type service struct {
	store *memtest.Store
	guard *idem.Guard
	m     *ginadapter.Middleware
	r     *gin.Engine
	runs  atomic.Int32
}

func newService(t testing.TB, opts ...httpadapter.Option) *service {
	return newServiceWith(t, idem.Rerun, opts...)
}

func newServiceWith(t testing.TB, guarantee idem.Guarantee, opts ...httpadapter.Option) *service {
	t.Helper()
	s := &service{store: new(memtest.Store), r: gin.New()}
	var err error
	s.guard, err = idem.New("orders", s.store, guarantee)
	require.NoError(t, err)
	s.m, err = ginadapter.New(s.guard, principal, opts...)
	require.NoError(t, err)
	s.r.Use(authenticate)
	return s
}

// authenticate does what authentication middleware of gin does: it puts the caller into the context.
func authenticate(c *gin.Context) {
	if name := c.GetHeader("X-Test-User"); name != "" {
		c.Set("principal", name)
	}
}

func principal(c *gin.Context) (idem.User, error) { return idem.User(c.GetString("principal")), nil }

// counted counts the runs of a handler.
func (s *service) counted(h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		s.runs.Add(1)
		h(c)
	}
}

// post serves h behind the middleware, on POST /orders/:id.
func (s *service) post(h gin.HandlerFunc, outside ...gin.HandlerFunc) {
	s.r.POST("/orders/:id", append(outside, s.m.Handler(), s.counted(h))...)
}

// state returns the state of alice's record under the key k-1.
func (s *service) state(t testing.TB) backend.State {
	t.Helper()
	rec, err := s.guard.Lookup(t.Context(), "k-1", "alice")
	if idem.CodeOf(err) == idem.CodeNotFound {
		return backend.Absent
	}
	require.NoError(t, err)
	return rec.State
}

// sent is a request: POST /orders/1 by alice under the key k-1 unless change says otherwise.
func sent(body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/orders/1", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", `"k-1"`)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Test-User", "alice")
	for _, c := range change {
		c(r)
	}
	return r
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }

// to sends the request elsewhere.
func to(method, target string) func(*http.Request) {
	return func(r *http.Request) {
		other := httptest.NewRequest(method, target, http.NoBody)
		r.Method, r.URL, r.RequestURI = method, other.URL, target
	}
}

func (s *service) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.r.ServeHTTP(w, r)
	return w
}

// refused asserts that w is a problem with the given status and code.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, code idem.Code) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p struct{ Code idem.Code }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, code, p.Code)
}

// replayed asserts that w is a replay with the given status and body.
func replayed(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, body, w.Body.String())
	require.Equal(t, "true", w.Header().Get("Idempotent-Replayed"))
}

// first asserts that w is the answer of a handler that ran.
func first(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, body, w.Body.String())
	require.Empty(t, w.Header().Get("Idempotent-Replayed"))
}
