package adaptertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/idem-go/idem"
)

func firstIs200(h http.Header, status int, body []byte) (int, []byte) {
	if status == 201 && !isReplay(h) {
		status = 200
	}
	return status, body
}

// fresh has new records for every request.
func fresh(s service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Guard = aside()
		sound(s).ServeHTTP(w, r)
	})
}

// alone has records that no other process sees.
func alone(s service) http.Handler {
	s.Guard = aside()
	return sound(s)
}

func asksFirst(s service) http.Handler {
	h := sound(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = s.User(r)
		h.ServeHTTP(w, r)
	})
}

func floats(_ *http.Request, body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) == nil {
		body, _ = json.Marshal(v)
	}
	return body
}

func namesTheKey(_ service, got *httptest.ResponseRecorder, w http.ResponseWriter, r *http.Request) {
	if isProblem(got.Header()) {
		w.Header().Set("X-Key", r.Header.Get("Idempotency-Key"))
	}
	pass(got, w)
}

func bareContext(s service) http.Handler {
	h := sound(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(context.Background())) })
}

func onReplay(change func(http.Header)) func(http.Header, int, []byte) (int, []byte) {
	return func(h http.Header, status int, body []byte) (int, []byte) {
		if isReplay(h) {
			change(h)
		}
		return status, body
	}
}

func onProblem(change func(http.Header)) func(http.Header, int, []byte) (int, []byte) {
	return func(h http.Header, status int, body []byte) (int, []byte) {
		if isProblem(h) {
			change(h)
		}
		return status, body
	}
}

func textAlone(h http.Header, status int, body []byte) (int, []byte) {
	if isReplay(h) {
		body = bytes.ToValidUTF8(body, []byte("?"))
		h.Del("Content-Length")
	}
	return status, body
}

func rerunEmpty(s service, got *httptest.ResponseRecorder, w http.ResponseWriter, r *http.Request) {
	if isReplay(got.Header()) && got.Body.Len() == 0 {
		s.Next(w, r)
		return
	}
	pass(got, w)
}

// rerun runs what was refused.
func rerun(refused idem.Code) func(service, *httptest.ResponseRecorder, http.ResponseWriter, *http.Request) {
	return func(s service, got *httptest.ResponseRecorder, w http.ResponseWriter, r *http.Request) {
		if has(got, refused) {
			s.Next(w, r)
			return
		}
		pass(got, w)
	}
}

func takesTheLast(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	l := &lastWord{w, 200, nil}
	next(l, r)
	w.WriteHeader(l.status)
	_, _ = w.Write(l.body)
}

func writesThrough(outer came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	next(through{w, outer.w}, r)
}

func recovers(status int) func(came, http.HandlerFunc, http.ResponseWriter, *http.Request) {
	return func(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(status)
			}
		}()
		next(w, r)
	}
}

// claims stores something for a request that is too large.
func claims(s service, got *httptest.ResponseRecorder, w http.ResponseWriter, r *http.Request) {
	if got.Code == http.StatusRequestEntityTooLarge {
		r.Body, r.ContentLength = http.NoBody, 0
		s.Next = func(http.ResponseWriter, *http.Request) {}
		sound(s).ServeHTTP(httptest.NewRecorder(), r)
	}
	pass(got, w)
}

func refusesToContinue(s service) http.Handler {
	h := sound(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func runsWhatItGot(s service) http.Handler {
	h := sound(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		h.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
	})
}

func emptyContext(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	next(w, r.WithContext(context.Background()))
}

func attached(outer came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	next(w, r.WithContext(attachedContext{r.Context(), outer.r.Context()}))
}

// attachedContext ends with the client.
type attachedContext struct {
	context.Context
	client context.Context
}

func (a attachedContext) Err() error { return a.client.Err() }

func oneAtATime() builder {
	return func(s service) http.Handler {
		h, turn := sound(s), new(sync.Mutex)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			turn.Lock()
			defer turn.Unlock()
			h.ServeHTTP(w, r)
		})
	}
}

// forgets frees the key of what it refuses.
func forgets(s service, got *httptest.ResponseRecorder, w http.ResponseWriter, r *http.Request) {
	if has(got, idem.CodeInFlight) {
		_ = s.Guard.Forget(r.Context(), "key-1", "alice")
	}
	pass(got, w)
}
