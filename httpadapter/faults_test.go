package httpadapter_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// faultsSeen are the faults of other libraries of this kind that HTTP can show, each as what a client would see of it.
// Every case runs in a bubble of its own, on a service of its own.
var faultsSeen = map[string]func(*testing.T, *service){
	"another user's answer and cookie are replayed": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			user, _ := httpadapter.UserOf(r.Context())
			http.SetCookie(w, &http.Cookie{Name: "session", Value: string(user)})
			_, _ = io.WriteString(w, "order of "+string(user))
		})
		first(t, do(h, sent(`1`)), 200, "order of alice")
		w := do(h, sent(`1`, header(userHeader, "bob")))
		first(t, w, 200, "order of bob")
		require.Equal(t, "session=bob", w.Header().Get("Set-Cookie"))
	},
	"a cookie is replayed to the same user": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { http.SetCookie(w, &http.Cookie{Name: "s", Value: "1"}) })
		require.NotEmpty(t, do(h, sent(`1`)).Header().Get("Set-Cookie"))
		require.Empty(t, do(h, sent(`1`)).Header().Get("Set-Cookie"))
	},
	"a key replays across routes": func(t *testing.T, s *service) {
		h := s.wrap(echo)
		first(t, do(h, sent(`1`, to("POST", "/pay"))), 201, `1`)
		refused(t, do(h, sent(`1`, to("POST", "/refund"))), 422, idem.CodeMismatch)
	},
	"the lock lives in one process though the storage is shared": func(t *testing.T, s *service) {
		h := s.wrap(slow(time.Second))
		other := newMiddleware(t, newGuard(t, s.store)).Wrap(s.counted(slow(time.Second)))
		firstOne := begun(h, sent(`1`))
		refused(t, do(other, sent(`1`)), 409, idem.CodeInFlight)
		first(t, <-firstOne, 201, `1`)
		replayed(t, do(other, sent(`1`)), 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	},
	"a race of many runs the handler twice": func(t *testing.T, s *service) {
		h := s.wrap(slow(time.Second))
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				w := do(h, sent(`1`))
				require.Contains(t, []int{201, 409}, w.Code)
			})
		}
		all.Wait()
		require.EqualValues(t, 1, s.runs.Load())
	},
	"saving fails after the effect and the retry runs again": func(t *testing.T, s *service) {
		s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
		h := s.wrap(echo)
		first(t, do(h, sent(`1`)), 201, `1`)
		refused(t, do(h, sent(`1`)), 409, idem.CodeInFlight)
		require.EqualValues(t, 1, s.runs.Load())
	},
	"saving fails once and the answer is given up": func(t *testing.T, s *service) {
		s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: 3})
		first(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
		replayed(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
	},
	"the store errs and the handler runs all the same": func(t *testing.T, s *service) {
		s.store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1})
		w := do(s.wrap(echo), sent(`1`))
		refused(t, w, 503, idem.CodeUnavailable)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Zero(t, s.runs.Load())
	},
	"an invalid key is a 500": func(t *testing.T, s *service) {
		refused(t, do(s.wrap(echo), sent(`1`, header("Idempotency-Key", "kö"))), 400, idem.CodeInvalidKey)
		refused(t, do(s.wrap(echo), sent(`1`, header("Idempotency-Key", strings.Repeat("k", 1000)))), 400, idem.CodeInvalidKey)
	},
	"a quoted UUID is refused": func(t *testing.T, s *service) {
		uuid := header("Idempotency-Key", `"8e03978e-40d5-43e8-bc93-6894a57f9324"`)
		first(t, do(s.wrap(echo), sent(`1`, uuid)), 201, `1`)
	},
	"an error that is returned is not stored, one that is written is": func(t *testing.T, s *service) {
		written := s.wrap(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", 500) })
		for range 2 {
			require.Equal(t, 500, do(written, sent(`{"amount":1}`)).Code)
			require.Equal(t, 500, do(s.paying(errors.New("down")), sent(`{"amount":1}`)).Code)
			require.Equal(t, backend.Absent, s.state(t))
		}
		require.EqualValues(t, 4, s.runs.Load())
	},
	"a body that the client did not get whole is stored and replayed as it was cut": func(t *testing.T, s *service) {
		body := strings.Repeat("x", 10_000)
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		h.ServeHTTP(&cut{ResponseRecorder: httptest.NewRecorder()}, sent(`1`))
		replayed(t, do(h, sent(`1`)), 200, body)
	},
	"a response over the limit is not stored and the retry runs again": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 2<<20)) })
		require.Equal(t, 200, do(h, sent(`1`)).Code)
		p := refused(t, do(h, sent(`1`)), 409, idem.CodeAnswerNotKept)
		require.Equal(t, 200, p.OriginalStatus)
		require.EqualValues(t, 1, s.runs.Load())
	},
	"a response that was flushed is not stored": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "part")
			require.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
			_, _ = io.WriteString(w, " whole")
		})
		first(t, do(h, sent(`1`)), 200, "part whole")
		replayed(t, do(h, sent(`1`)), 200, "part whole")
	},
	"the answer reaches the client before it is stored": func(t *testing.T, s *service) {
		w := &watched{ResponseRecorder: httptest.NewRecorder(), before: func() { require.Equal(t, backend.Done, s.state(t)) }}
		s.wrap(echo).ServeHTTP(w, sent(`1`))
		require.NotZero(t, w.calls)
	},
	"the client hangs up and the answer is lost": func(t *testing.T, s *service) {
		ctx, hangUp := context.WithCancel(t.Context())
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			hangUp()
			<-time.After(time.Second)
			require.NoError(t, r.Context().Err())
			echo(w, r)
		})
		do(h, sent(`1`).WithContext(ctx))
		replayed(t, do(h, sent(`1`)), 201, `1`)
	},
	"a handler slower than its lease gets 503 though it happened": func(t *testing.T, s *service) {
		h := s.wrap(slow(4 * time.Minute))
		first(t, do(h, sent(`1`)), 201, `1`)
		replayed(t, do(h, sent(`1`)), 201, `1`)
	},
	"one 500 wedges the key": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			if s.runs.Load() == 1 {
				http.Error(w, "down", 500)
				return
			}
			echo(w, r)
		})
		require.Equal(t, 500, do(h, sent(`1`)).Code)
		first(t, do(h, sent(`1`)), 201, `1`)
	},
	"one panic wedges the key": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			if s.runs.Load() == 1 {
				panic(http.ErrAbortHandler)
			}
			echo(w, r)
		})
		require.Panics(t, func() { do(h, sent(`1`)) })
		first(t, do(h, sent(`1`)), 201, `1`)
	},
	"a crash wedges the key for days": func(t *testing.T, s *service) {
		s.store.Inject(memtest.Fault{Op: memtest.OpRelease, Count: -1}) // a process that is gone releases nothing
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			if s.runs.Load() == 1 {
				panic("crash")
			}
			echo(w, r)
		})
		require.Panics(t, func() { do(h, sent(`1`)) })
		w := do(h, sent(`1`))
		refused(t, w, 409, idem.CodeInFlight)
		<-time.After(31 * time.Second)
		first(t, do(h, sent(`1`)), 201, `1`)
	},
	"a client's key overwrites another key of the store": func(t *testing.T, s *service) {
		admin := header("Idempotency-Key", "session:admin")
		first(t, do(s.wrap(echo), sent(`1`, admin)), 201, `1`)
		records, _, err := s.guard.List(t.Context(), idem.Filter{}, idem.Cursor{})
		require.NoError(t, err)
		require.Len(t, records, 1)
		id := backend.NewID("orders", "alice", "session:admin")
		require.Equal(t, id, records[0].Ref.ID())
	},
	"a path and a body that are joined without a separator": func(t *testing.T, s *service) {
		text := header("Content-Type", "text/plain")
		first(t, do(s.wrap(echo), sent(`ments`, text, to("POST", "/pay"))), 201, `ments`)
		refused(t, do(s.wrap(echo), sent(``, text, to("POST", "/payments"))), 422, idem.CodeMismatch)
	},
	"integers that become equal as floats": func(t *testing.T, s *service) {
		first(t, do(s.wrap(echo), sent(`{"amount":9007199254740993}`)), 201, `{"amount":9007199254740993}`)
		refused(t, do(s.wrap(echo), sent(`{"amount":9007199254740992}`)), 422, idem.CodeMismatch)
	},
	"another body under the key runs again": func(t *testing.T, s *service) {
		first(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
		refused(t, do(s.wrap(echo), sent(`2`)), 422, idem.CodeMismatch)
		require.EqualValues(t, 1, s.runs.Load())
	},
	"a mismatch prints the first caller's request": func(t *testing.T, s *service) {
		do(s.wrap(echo), sent(`"canary"`))
		require.NotContains(t, do(s.wrap(echo), sent(`"tweety"`)).Body.String(), "canary")
	},
	"a hash that is taken after the handler changed its input": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			clear(body)
			r.URL.Path, r.Method = "/changed", "PUT"
			w.WriteHeader(204)
		})
		first(t, do(h, sent(`{"a":1}`)), 204, "")
		replayed(t, do(h, sent(`{"a":1}`)), 204, "")
	},
	"a replay of 204 is taken for nothing stored": func(t *testing.T, s *service) {
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
		for range 3 {
			require.Equal(t, 204, do(h, sent(`1`)).Code)
		}
		require.EqualValues(t, 1, s.runs.Load())
	},
	"falsy results replay as null": func(t *testing.T, s *service) {
		for key, result := range map[string]any{"0": 0, `""`: "", "[]": []int{}, "false": false, "null": nil, "{}": struct{}{}} {
			h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (any, error) { return result, nil })
			name := header("Idempotency-Key", "k"+strings.Trim(key, `"`))
			first(t, do(h, sent(``, name)), 200, key)
			replayed(t, do(h, sent(``, name)), 200, key)
		}
	},
	"a waiter that gives up deletes the live owner's record": func(t *testing.T, s *service) {
		waiting, err := s.m.Route(httpadapter.Call(idem.Wait(time.Second)))
		require.NoError(t, err)
		h := waiting.Wrap(s.counted(slow(5 * time.Second)))
		firstOne := begun(h, sent(`1`))
		refused(t, do(h, sent(`1`)), 409, idem.CodeInFlight)
		require.Equal(t, backend.Pending, s.state(t))
		first(t, <-firstOne, 201, `1`)
		require.EqualValues(t, 1, s.runs.Load())
	},
	"the status is lost on a replay": func(t *testing.T, s *service) {
		first(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
		replayed(t, do(s.wrap(echo), sent(`1`)), 201, `1`)
	},
	"those without a user share one scope": func(t *testing.T, s *service) {
		refused(t, do(s.wrap(echo), sent(`1`, without(userHeader))), 401, idem.CodeMissingUser)
		require.Zero(t, s.runs.Load())
	},
	"the order of JSON's members matters": func(t *testing.T, s *service) {
		first(t, do(s.wrap(echo), sent(`{"a":1,"b":2}`)), 201, `{"a":1,"b":2}`)
		replayed(t, do(s.wrap(echo), sent(`{"b":2,"a":1}`)), 201, `{"a":1,"b":2}`)
	},
}

// cut is a client that hangs up after 100 bytes.
type cut struct {
	*httptest.ResponseRecorder
}

func (c *cut) Write(p []byte) (int, error) {
	n, _ := c.ResponseRecorder.Write(p[:min(len(p), 100)])
	return n, io.ErrClosedPipe
}

func TestFaultsSeenElsewhereAreNotOurs(t *testing.T) {
	t.Parallel()
	for name, proof := range faultsSeen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { proof(t, newService(t)) })
		})
	}
}
