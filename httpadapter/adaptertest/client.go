package adaptertest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/idem-go/idem"
)

// silent is for servers whose handlers panic on purpose.
var silent = log.New(io.Discard, "", 0)

// defaultKey is the key of requests, as it is sent.
const defaultKey = `"key-1"`

// change makes a request differ from POST /orders by alice.
type change func(*http.Request)

func header(name string, values ...string) change {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func key(value string) change { return header("Idempotency-Key", value) }

func user(name string) change { return header(userHeader, name) }

func without(name string) change { return func(r *http.Request) { r.Header.Del(name) } }

func method(name string) change { return func(r *http.Request) { r.Method = name } }

// to sends the request to another path, as it is written.
func to(target string) change {
	return func(r *http.Request) {
		other, err := r.URL.Parse(target)
		if err != nil {
			panic(err)
		}
		r.URL = other
	}
}

func body(text string) change {
	return func(r *http.Request) {
		r.ContentLength, r.Body = int64(len(text)), io.NopCloser(strings.NewReader(text))
	}
}

// chunked sends the body without its length.
func chunked(r *http.Request) {
	r.ContentLength, r.Body = -1, io.NopCloser(r.Body)
}

// response is what a client got.
type response struct {
	s      *server
	status int
	proto  int
	header http.Header
	body   []byte
	err    error // of a connection that broke
}

// request is POST /orders by alice under the key key-1, unless changes say otherwise.
func (s *server) request(changes ...change) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.URL+"/orders", http.NoBody)
	s.ok("http.NewRequest", err)
	r.GetBody = nil
	body(`{"item":"book","amount":5}`)(r)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", defaultKey)
	r.Header.Set(userHeader, "alice")
	for _, c := range changes {
		c(r)
	}
	return r
}

// send sends a request and returns what came back.
func (s *server) send(changes ...change) response {
	s.Helper()
	got := s.try(s.request(changes...))
	s.sound()
	if got.err != nil {
		s.Fatalf("the request got no answer: %v", got.err)
	}
	return got
}

// try is send for a request that may get no answer, and for goroutines.
func (s *server) try(r *http.Request) response {
	resp, err := s.client.Do(r)
	if err != nil {
		return response{s: s, err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return response{s, resp.StatusCode, resp.ProtoMajor, resp.Header, text, err}
}

// begin sends a request in the background.
func (s *server) begin(changes ...change) <-chan response {
	s.Helper()
	r, done := s.request(changes...), make(chan response, 1)
	go func() { done <- s.try(r) }()
	return done
}

// await is for the answer to a request that was begun.
func (s *server) await(done <-chan response) response {
	s.Helper()
	got := <-done // the client has a time-out
	s.sound()
	if got.err != nil {
		s.Fatalf("the request got no answer: %v", got.err)
	}
	return got
}

// is checks status and body.
func (got response) is(status int, text string) {
	got.s.Helper()
	if got.status != status || string(got.body) != text {
		got.s.Fatalf("the answer is %d %.200q, want %d %.200q", got.status, got.body, status, text)
	}
}

// marked reports whether an answer says that it is a replay.
func (got response) marked() bool { return got.header.Get("Idempotent-Replayed") == "true" }

// first checks the answer of a handler that ran.
func (got response) first(status int, text string) response {
	got.s.Helper()
	got.is(status, text)
	if got.header.Get("Idempotent-Replayed") != "" {
		got.s.Fatalf("the first answer says that it is a replay")
	}
	return got
}

// replayed checks an answer that was stored.
func (got response) replayed(status int, text string) response {
	got.s.Helper()
	got.is(status, text)
	if !got.marked() {
		got.s.Fatalf("the answer does not say that it is a replay")
	}
	return got
}

// problem is the body of a refusal.
type problem struct {
	Type, Title, Detail string
	Status              int
	Code                idem.Code
	OriginalStatus      int `json:"original_status"`
}

// refused checks a refusal.
func (got response) refused(status int, code idem.Code) problem {
	got.s.Helper()
	var p problem
	if got.status != status {
		got.s.Fatalf("the answer is %d %.200q, want the refusal %d %s", got.status, got.body, status, code)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
		got.s.Fatalf("the refusal %d has the Content-Type %q, want application/problem+json", status, kind)
	}
	if err := json.NewDecoder(bytes.NewReader(got.body)).Decode(&p); err != nil {
		got.s.Fatalf("the refusal %d is not JSON: %v", status, err)
	}
	if p.Code != code || p.Status != status {
		got.s.Fatalf("the refusal is %d %q, want %d %q", p.Status, p.Code, status, code)
	}
	return p
}

// value checks a header that an answer has once.
func (got response) value(name, want string) {
	got.s.Helper()
	if values := got.header.Values(name); len(values) != 1 || values[0] != want {
		got.s.Fatalf("%s is %q, want %q", name, values, want)
	}
}

// lacks checks headers that an answer does not have.
func (got response) lacks(names ...string) {
	got.s.Helper()
	for _, name := range names {
		if values := got.header.Values(name); len(values) > 0 {
			got.s.Fatalf("the answer has %s, which must not be there", name)
		}
	}
}
