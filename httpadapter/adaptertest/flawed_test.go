package adaptertest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
	"github.com/idem-go/idem/httpadapter/adaptertest"
)

type service = adaptertest.Service

// builder makes a handler out of a service: an adapter, sound or not.
type builder func(service) http.Handler

// sound is the adapter that the others are made of.
func sound(s service) http.Handler { return middleware(s).Wrap(s.Next) }

func middleware(s service) *httpadapter.Middleware {
	return idem.Must(httpadapter.New(s.Guard, s.User, s.Options...))
}

// option has the service an option that nobody asked for.
func option(o ...httpadapter.Option) builder {
	return func(s service) http.Handler {
		s.Options = append(s.Options[:len(s.Options):len(s.Options)], o...)
		return sound(s)
	}
}

func disposition(rule func(status int) idem.Disposition) builder {
	return option(httpadapter.Disposition(func(_ *http.Request, status int) idem.Disposition { return rule(status) }))
}

// deaf does not listen to options.
func deaf(s service) http.Handler {
	s.Options = nil
	return sound(s)
}

// whose says by itself whose request it is.
func whose(user func(idem.User, error) (idem.User, error)) builder {
	return func(s service) http.Handler {
		asked := s.User
		s.User = func(r *http.Request) (idem.User, error) { return user(asked(r)) }
		return sound(s)
	}
}

// before changes what the middleware gets, and with it what the handler gets.
func before(change func(w http.ResponseWriter, r *http.Request)) builder {
	return func(s service) http.Handler {
		h := sound(s)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(w, r)
			h.ServeHTTP(w, r)
		})
	}
}

type cameKey struct{}

// came is a request as it came, with its writer.
type came struct {
	w    http.ResponseWriter
	r    *http.Request
	body []byte
}

// blind changes what the middleware compares, and leaves the handler what it was.
func blind(change func(r *http.Request, body []byte) []byte) builder {
	return func(s service) http.Handler {
		next := s.Next
		s.Next = func(w http.ResponseWriter, r *http.Request) {
			original := r.Context().Value(cameKey{}).(came)
			restored := original.r.WithContext(r.Context())
			restored.Body, restored.ContentLength = io.NopCloser(bytes.NewReader(original.body)), int64(len(original.body))
			next(w, restored)
		}
		h := sound(s)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			seen := r.Clone(context.WithValue(r.Context(), cameKey{}, came{w, r, body}))
			body = change(seen, bytes.Clone(body))
			seen.Body, seen.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			h.ServeHTTP(w, seen)
		})
	}
}

// target changes the request's target in the eyes of the middleware.
func target(change func(r *http.Request) string) builder {
	return blind(func(r *http.Request, body []byte) []byte {
		r.RequestURI = change(r)
		return body
	})
}

// value changes a header in the eyes of the middleware.
func value(name string, change func(string) string) builder {
	return blind(func(r *http.Request, body []byte) []byte {
		if sent := r.Header.Values(name); len(sent) == 1 {
			r.Header.Set(name, change(sent[0]))
		}
		return body
	})
}

// inner changes what the handler gets. The writer that came in and its request are in outer.
func inner(change func(outer came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request)) builder {
	return func(s service) http.Handler {
		next := s.Next
		s.Next = func(w http.ResponseWriter, r *http.Request) {
			outer, _ := r.Context().Value(cameKey{}).(came)
			change(outer, next, w, r)
		}
		h := sound(s)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), cameKey{}, came{w: w, r: r})))
		})
	}
}

// replying changes what is sent, header and body.
func replying(change func(h http.Header, status int, body []byte) (int, []byte)) builder {
	return after(func(_ service, got *httptest.ResponseRecorder, w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		clear(h)
		for name, values := range got.Header() {
			h[name] = values
		}
		status, body := change(h, got.Code, got.Body.Bytes())
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

// after has the last word on an answer.
func after(reply func(s service, got *httptest.ResponseRecorder, w http.ResponseWriter, r *http.Request)) builder {
	return func(s service) http.Handler {
		h := sound(s)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			got := httptest.NewRecorder()
			for name, values := range w.Header() {
				got.Header()[name] = values
			}
			h.ServeHTTP(got, r)
			r.Body = io.NopCloser(bytes.NewReader(body))
			reply(s, got, w, r)
		})
	}
}

// pass sends what was recorded.
func pass(got *httptest.ResponseRecorder, w http.ResponseWriter) {
	for name, values := range got.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(got.Code)
	_, _ = w.Write(got.Body.Bytes())
}

func isReplay(h http.Header) bool { return h.Get("Idempotent-Replayed") != "" }

func isProblem(h http.Header) bool { return h.Get("Content-Type") == "application/problem+json" }

// has tells a refusal by a word in its body.
func has(got *httptest.ResponseRecorder, code idem.Code) bool {
	return isProblem(got.Header()) && strings.Contains(got.Body.String(), `"`+string(code)+`"`)
}

// aside is a guard whose records nobody shares.
func aside(opts ...idem.GuardOption) *idem.Guard {
	return idem.Must(idem.New("aside", new(memtest.Store), opts...))
}

// through is a writer that sends at once what it also records.
type through struct {
	http.ResponseWriter
	outer http.ResponseWriter
}

func (t through) WriteHeader(status int) {
	for name, values := range t.Header() {
		t.outer.Header()[name] = values
	}
	t.outer.WriteHeader(status)
	t.ResponseWriter.WriteHeader(status)
}

func (t through) Write(p []byte) (int, error) {
	_, _ = t.ResponseWriter.Write(p)
	return t.outer.Write(p)
}

func (t through) Flush() { _ = http.NewResponseController(t.outer).Flush() }

// leaky lets the handler reach the writer that came in.
type leaky struct {
	http.ResponseWriter
	outer http.ResponseWriter
}

func (l leaky) Unwrap() http.ResponseWriter { return l.outer }

// lastWord is a writer on which the last status and the last header count.
type lastWord struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (l *lastWord) WriteHeader(status int) { l.status = status }

func (l *lastWord) Write(p []byte) (int, error) {
	l.body = append(l.body, p...)
	return len(p), nil
}

// early sends informational answers.
type early struct {
	http.ResponseWriter
	outer http.ResponseWriter
}

func (e early) WriteHeader(status int) {
	if status < 200 {
		e.outer.WriteHeader(status)
		return
	}
	e.ResponseWriter.WriteHeader(status)
}

// agreeable takes every write.
type agreeable struct{ http.ResponseWriter }

func (a agreeable) Write(p []byte) (int, error) {
	_, _ = a.ResponseWriter.Write(p)
	return len(p), nil
}
