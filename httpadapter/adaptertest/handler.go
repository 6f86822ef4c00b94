package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

var handlerRules = []Rule{
	rule("the handler gets the request as it came",
		"Method, URL, headers, host and the client's address are what they would be without the middleware.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				got := fmt.Sprint(request.Method, request.URL, request.RequestURI, request.Header["X-Many"], request.RemoteAddr != "")
				if want := "PATCH/orders/1?a=b/orders/1?a=b[1 2] true"; got != want {
					r.wrong("the handler's request is %q, want %q", got, want)
				}
				if request.Host == "" || request.Header.Get("Idempotency-Key") != defaultKey {
					r.wrong("the handler's request has lost its host or its key")
				}
				r.order(w, request)
			})
			s.send(method("PATCH"), to("/orders/1?a=b"), header("X-Many", "1", "2")).first(201, ordered(1))
		}),
	rule("the handler knows attempt and user",
		"The handler's context carries the attempt, a key for downstream calls, and the user.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				attempt, ok := idem.AttemptFrom(request.Context())
				if !ok || attempt.Number != 1 || attempt.Takeover || attempt.Key != "key-1" {
					r.wrong("the attempt is not number 1 of its key")
				}
				if child, err := idem.ChildKey(request.Context(), "gateway"); err != nil || child == "" {
					r.wrong("ChildKey failed: %v", err)
				}
				if owner, ok := httpadapter.UserOf(request.Context()); !ok || owner != "alice" {
					r.wrong("the user is not alice")
				}
				r.order(w, request)
			})
			s.send().first(201, ordered(1))
		}),
	rule("the handler's context keeps its values",
		"What stands further out may put values into the request's context; the handler finds them.",
		func(r *rig) {
			type valueKey struct{}
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					h.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), valueKey{}, "kept")))
				})
			}}, func(w http.ResponseWriter, request *http.Request) {
				if request.Context().Value(valueKey{}) != "kept" {
					r.wrong("the value is gone")
				}
				r.order(w, request)
			})
			s.send().first(201, ordered(1))
		}),
	rule("a client that hangs up loses nothing",
		"The handler goes on when its client is gone, and the retry gets its answer.",
		func(r *rig) {
			running, noticed, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					if r.runs.Load() == 0 {
						defer close(ended)
						defer context.AfterFunc(request.Context(), func() { close(noticed) })()
					}
					h.ServeHTTP(w, request)
				})
			}}, func(w http.ResponseWriter, request *http.Request) {
				if r.runs.Load() == 1 {
					close(running)
					r.wait(noticed) // the server has seen that the client is gone
					if err := request.Context().Err(); err != nil {
						r.wrong("the handler's context ended with its client: %v", err)
					}
				}
				r.order(w, request)
			})
			ctx, hangUp := context.WithCancel(r.Context())
			defer hangUp()
			gone, request := make(chan response, 1), s.request().WithContext(ctx)
			go func() { gone <- s.try(request) }()
			r.soon("the handler", running)
			hangUp()
			if got := <-gone; !errors.Is(got.err, context.Canceled) {
				r.Fatalf("the client that hung up got %d, %v", got.status, got.err)
			}
			r.soon("the end of the handler", ended)
			s.send().replayed(201, ordered(1))
			r.ran(1)
		}),
	rule("the handler cannot stream",
		"http.ResponseController refuses to flush and to hijack a guarded answer with http.ErrNotSupported.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				control := http.NewResponseController(w)
				if err := control.Flush(); !errors.Is(err, http.ErrNotSupported) {
					r.wrong("Flush returned %v", err)
				}
				if conn, _, err := control.Hijack(); err == nil {
					_ = conn.Close()
					r.wrong("Hijack worked")
				}
				r.order(w, request)
			})
			s.send().first(201, ordered(1))
		}),
	rule("informational answers are dropped",
		"A handler's 1xx reaches nobody and is not taken for its answer.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				r.order(w, request)
			})
			request := s.request()
			early := func(status int, _ textproto.MIMEHeader) error {
				return fmt.Errorf("the client was sent %d", status)
			}
			got := s.try(request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{Got1xxResponse: early})))
			r.ok("the request", got.err)
			got.first(201, ordered(1))
			s.send().replayed(201, ordered(1))
		}),
	rule("a handler that answers late counts for nothing",
		"What a goroutine writes after its handler returned changes neither the answer nor the replay.",
		func(r *rig) {
			returned, wrote := make(chan struct{}), make(chan struct{})
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				r.order(w, request)
				go func() {
					defer close(wrote)
					r.wait(returned)
					if _, err := w.Write([]byte("late")); err == nil {
						r.wrong("a write after the handler returned was taken")
					}
				}()
			})
			s.send().first(201, ordered(1))
			close(returned)
			r.soon("the late write", wrote)
			s.send().replayed(201, ordered(1))
		}),
	rule("connections are kept alive",
		"First answers, replays and refusals cost the client no connection.",
		func(r *rig) {
			s := r.serve(r.order)
			for i, c := range []change{unchanged, unchanged, body(`{}`), key(`"`), without(userHeader), unchanged} {
				reused, request := false, s.request(c)
				got := s.try(request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
					GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
				})))
				r.ok("the request", got.err)
				if i > 0 && !reused {
					r.Fatalf("the connection was closed before request %d", i+1)
				}
			}
		}),
	rule("HTTP/2 is the same",
		"Over HTTP/2 first answers, replays and refusals are as over HTTP/1.1.",
		func(r *rig) {
			s := r.serveWith(setup{http2: true}, r.order)
			got := s.send().first(201, ordered(1))
			if got.proto != 2 {
				r.Fatalf("the answer came over HTTP/%d", got.proto)
			}
			s.send().replayed(201, ordered(1))
			s.send(chunked).replayed(201, ordered(1))
			s.send(body(`{}`)).refused(422, idem.CodeMismatch)
			s.send(key("")).refused(400, idem.CodeInvalidKey)
		}),
}
