package httpadapter_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// frame is the context of a framework like gin: it has its own writer, with methods that a recorder lacks, and keeps the
// bytes of a body that a binder read.
type frame struct {
	w     http.ResponseWriter
	r     *http.Request
	bound []byte
	abort bool
	next  func(*frame)
}

// frameWriter is a framework's writer over a recorder. Its Flush does nothing; http.ResponseController asks FlushError
// first.
type frameWriter struct{ http.ResponseWriter }

func (frameWriter) Flush()            {}
func (frameWriter) FlushError() error { return http.ErrNotSupported }

// adapt is all that an adapter for such a framework has to be.
func adapt(m *httpadapter.Middleware) func(*frame) {
	return func(f *frame) {
		w, r, ran := f.w, f.r, false
		defer func() {
			f.w, f.r = w, r
			f.abort = !ran
		}()
		m.Serve(w, httpadapter.Exchange{
			Request: r, BodyRead: f.bound != nil,
			Next: func(inner http.ResponseWriter, request *http.Request) {
				ran = true
				f.r = request
				if inner != w {
					f.w = frameWriter{inner}
				}
				f.next(f)
			},
		})
	}
}

func TestAnAdapterForAFrameworkStandsOnServe(t *testing.T) {
	t.Parallel()
	s := newService(t)
	guard := adapt(s.m)
	serve := func(r *http.Request, bound []byte) (*httptest.ResponseRecorder, *frame) {
		w := httptest.NewRecorder()
		f := &frame{w: w, r: r, bound: bound, next: func(f *frame) {
			s.runs.Add(1)
			_, guarded := f.w.(frameWriter)
			require.Equal(t, r.Method == "POST", guarded)
			if guarded {
				require.ErrorIs(t, http.NewResponseController(f.w).Flush(), http.ErrNotSupported)
			}
			echo(f.w, f.r)
		}}
		guard(f)
		require.Same(t, w, f.w, "the writer must be put back")
		require.Same(t, r, f.r, "the request must be put back")
		return w, f
	}

	w, f := serve(sent(`1`), nil)
	first(t, w, 201, `1`)
	require.False(t, f.abort)
	w, f = serve(sent(`1`), nil)
	replayed(t, w, 201, `1`)
	require.True(t, f.abort, "the handler did not run")
	w, _ = serve(sent(`1`), []byte(`1`))
	refused(t, w, 500, httpadapter.CodeBodyRead)
	w, f = serve(sent(`1`, to("GET", "/orders")), []byte(`1`))
	require.Equal(t, 201, w.Code)
	require.False(t, f.abort)
	require.EqualValues(t, 2, s.runs.Load())
}

func TestTheMiddlewareStandsBehindAMux(t *testing.T) {
	t.Parallel()
	s := newService(t)
	mux := http.NewServeMux()
	mux.Handle("POST /orders/{id}/cancel", s.wrap(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("cancelled " + r.PathValue("id")))
	}))
	first(t, do(mux, sent(``, to("POST", "/orders/1/cancel"))), 200, "cancelled 1")
	replayed(t, do(mux, sent(``, to("POST", "/orders/1/cancel"))), 200, "cancelled 1")
	refused(t, do(mux, sent(``, to("POST", "/orders/2/cancel"))), 422, idem.CodeMismatch)
}

func TestAFrameworkMayKnowTheUserByItself(t *testing.T) {
	t.Parallel()
	s := newService(t)
	serve := func(user func() (idem.User, error)) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.m.Serve(w, httpadapter.Exchange{Request: sent(`1`), User: user, Next: s.counted(func(w http.ResponseWriter, r *http.Request) {
			owner, ok := httpadapter.UserOf(r.Context())
			require.True(t, ok)
			_, _ = io.WriteString(w, "for "+string(owner))
		}).ServeHTTP})
		return w
	}
	named := func(name idem.User) func() (idem.User, error) {
		return func() (idem.User, error) { return name, nil }
	}
	first(t, serve(named("carol")), 200, "for carol")
	replayed(t, serve(named("carol")), 200, "for carol")
	first(t, serve(nil), 200, "for alice")
	refused(t, serve(named("")), 401, idem.CodeMissingUser)
	refused(t, serve(func() (idem.User, error) { return "carol", io.ErrUnexpectedEOF }), 503, httpadapter.CodeUserUnknown)
	require.EqualValues(t, 2, s.runs.Load())
}

// TestAnAnswerThatIsLeftToWhoStandsFurtherOut is for handlers that collect an error and write nothing.
func TestAnAnswerThatIsLeftToWhoStandsFurtherOut(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		guarantee idem.Guarantee
		opts      []httpadapter.Option
		state     backend.State
		again     func(t *testing.T, w *httptest.ResponseRecorder)
	}{
		"releases": {idem.Rerun, nil, backend.Absent, func(t *testing.T, w *httptest.ResponseRecorder) {
			require.Equal(t, 418, w.Code)
		}},
		"is held under Hold": {idem.Hold, nil, backend.Unknown, func(t *testing.T, w *httptest.ResponseRecorder) {
			refused(t, w, 409, idem.CodeUnknownOutcome)
		}},
		"is a tombstone where 500 is kept": {
			idem.Rerun, []httpadapter.Option{httpadapter.Disposition(func(_ *http.Request, status int) idem.Disposition {
				if status == 500 {
					return idem.Keep
				}
				return 0
			})}, backend.Done, func(t *testing.T, w *httptest.ResponseRecorder) {
				require.Equal(t, 500, refused(t, w, 409, idem.CodeAnswerNotKept).OriginalStatus)
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServiceWith(t, c.guarantee, c.opts...)
			serve := func() *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				failed := false
				s.m.Serve(w, httpadapter.Exchange{
					Request: sent(`1`),
					Next: func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("X-Inner", "1")
						failed = true
					},
					Unanswered: func() bool { return failed },
				})
				if failed {
					require.False(t, w.Flushed)
					require.Empty(t, w.Result().Header.Get("Content-Length"), "nothing may have been sent")
					require.Equal(t, "1", w.Header().Get("X-Inner"))
					w.WriteHeader(418) // who stands further out
				}
				return w
			}
			require.Equal(t, 418, serve().Code)
			require.Equal(t, c.state, s.state(t))
			c.again(t, serve())
		})
	}
}

// TestAnAnswerThatIsLeftAndCannotBeHeld: what stands further out answers then too, unless that is to be refused.
func TestAnAnswerThatIsLeftAndCannotBeHeld(t *testing.T) {
	t.Parallel()
	for choice, sent500 := range map[httpadapter.NotStored]bool{httpadapter.Deliver: false, httpadapter.Refuse: true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServiceWith(t, idem.Hold, httpadapter.OnNotStored(choice))
			s.store.Inject(memtest.Fault{Op: memtest.OpHold, Count: -1})
			w := httptest.NewRecorder()
			s.m.Serve(w, httpadapter.Exchange{
				Request: sent(`1`), Next: func(http.ResponseWriter, *http.Request) {}, Unanswered: func() bool { return true },
			})
			if sent500 {
				refused(t, w, 500, idem.CodeNotStored)
				return
			}
			require.Empty(t, w.Header(), "nothing may have been sent")
		})
	}
}

func TestAFrameworkMayServeAFunction(t *testing.T) {
	t.Parallel()
	s := newService(t)
	serve := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		x := httpadapter.Exchange{Request: r, User: func() (idem.User, error) { return "carol", nil }}
		httpadapter.ServeFunc(s.m, w, x, func(_ context.Context, user idem.User, n int) (string, error) {
			s.runs.Add(1)
			return fmt.Sprint(user, n), nil
		})
		return w
	}
	first(t, serve(sent(`1`)), 200, `"carol1"`)
	replayed(t, serve(sent(`1`)), 200, `"carol1"`)
	refused(t, serve(sent(`2`)), 422, idem.CodeMismatch)
	first(t, serve(sent(`3`, to("PUT", "/orders"))), 200, `"carol3"`)
	require.EqualValues(t, 2, s.runs.Load())
}
