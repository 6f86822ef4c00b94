package httpadapter_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

func TestMiddlewareInsideMiddlewareOfTheSameGuardPasses(t *testing.T) {
	t.Parallel()
	other, err := idem.New("audit", new(memtest.Store))
	require.NoError(t, err)
	cases := map[string]func(s *service, next http.Handler) http.Handler{
		"the same middleware": func(s *service, next http.Handler) http.Handler { return s.m.Wrap(next) },
		"a route's middleware": func(s *service, next http.Handler) http.Handler {
			route, err := s.m.Route(httpadapter.Strict(), httpadapter.PerRoute())
			require.NoError(t, err)
			return route.Wrap(next)
		},
		"with another header": func(s *service, next http.Handler) http.Handler {
			route, err := s.m.Route(httpadapter.Header("X-Other"))
			require.NoError(t, err)
			return route.Wrap(next)
		},
		"behind a prefix that is stripped": func(s *service, next http.Handler) http.Handler {
			return http.StripPrefix("/orders", s.m.Wrap(next))
		},
		"behind another guard's": func(s *service, next http.Handler) http.Handler {
			return newMiddleware(t, other).Wrap(s.m.Wrap(next))
		},
	}
	for name, inner := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			h := s.m.Wrap(inner(s, s.counted(echo)))
			user := header(userHeader, name) // the other guard is shared by the cases
			first(t, do(h, sent(`1`, user)), 201, `1`)
			replayed(t, do(h, sent(`1`, user)), 201, `1`)
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

func TestARequestOfTheHandlersOwnIsGuarded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var h http.Handler
	h = s.wrap(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fees" {
			echo(w, r)
			return
		}
		for range 2 {
			own := sent(`2`, to("POST", "/fees"), header("Idempotency-Key", "fee-1")).WithContext(r.Context())
			require.Equal(t, 201, do(h, own).Code)
		}
		for name, same := range map[string]*http.Request{
			"elsewhere":              sent(`3`, to("POST", "/fees")),
			"by another method":      sent(`1`, to("PATCH", "/orders")),
			"from no server's hands": sent(`1`, to("POST", "/fees"), func(r *http.Request) { r.RequestURI = "" }),
		} {
			refused(t, do(h, same.WithContext(r.Context())), 500, idem.CodeReentrant)
			require.EqualValues(t, 2, s.runs.Load(), name)
		}
		echo(w, r)
	})
	first(t, do(h, sent(`1`)), 201, `1`)
	require.EqualValues(t, 2, s.runs.Load(), "the order once and its fee once")
}

func TestAnotherKeyOnTheSameRouteIsAnotherRequest(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var h http.Handler
	h = s.wrap(func(w http.ResponseWriter, r *http.Request) {
		if key, _ := httpadapter.KeyOf(r); key == "k-1" {
			for range 2 {
				do(h, sent(`1`, header("Idempotency-Key", "k-2")).WithContext(r.Context()))
			}
		}
		echo(w, r)
	})
	first(t, do(h, sent(`1`)), 201, `1`)
	require.EqualValues(t, 2, s.runs.Load())
}

func TestMiddlewareInsideMiddlewarePassesWhateverTheRequestCameFrom(t *testing.T) {
	t.Parallel()
	s := newService(t)
	made := func(r *http.Request) { r.RequestURI = "" }
	h := s.m.Wrap(s.wrap(func(w http.ResponseWriter, r *http.Request) {
		elsewhere := sent(`1`, to("POST", "/fees"), made).WithContext(r.Context())
		refused(t, do(s.wrap(echo), elsewhere), 500, idem.CodeReentrant)
		echo(w, r)
	}))
	first(t, do(h, sent(`1`, made)), 201, `1`)
	replayed(t, do(h, sent(`1`, made)), 201, `1`)
	require.EqualValues(t, 1, s.runs.Load())
}
