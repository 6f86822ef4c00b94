package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
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
