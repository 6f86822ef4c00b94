package httpadapter_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// sink is a writer that costs nothing of its own, so that what the middleware adds can be seen.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

var (
	benchBody   = `{"account":"a-1","amount":125,"note":"` + strings.Repeat("n", 230) + `"}` // 272 bytes or so
	benchAnswer = bytes.Repeat([]byte("x"), 512)
)

// benchHandler reads a body and answers with two headers and 512 bytes.
func benchHandler(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/orders/1")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(benchAnswer)
}

// run serves one request over and over; key is its key at each round, nil for none.
func run(b *testing.B, h http.Handler, kind string, key func(int) string) {
	b.Helper()
	r := sent("", header("Content-Type", kind))
	r.ContentLength = int64(len(benchBody))
	if key == nil {
		r.Header.Del("Idempotency-Key")
	}
	body := strings.NewReader("")
	r.Body = io.NopCloser(body)
	keys, w := []string{"k-1"}, &sink{http.Header{}}
	if key != nil {
		r.Header["Idempotency-Key"] = keys
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if key != nil {
			keys[0] = key(i)
		}
		body.Reset(benchBody)
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func fresh(i int) string { return "k-" + strconv.Itoa(i) }
func same(int) string    { return "k-1" }

// BenchmarkExchange shows what the middleware adds to a bare handler. The round of a first run makes its key, which is
// one allocation of the benchmark's own; so the bare handler makes one too.
func BenchmarkExchange(b *testing.B) {
	wrapped := func(opts ...httpadapter.Option) http.Handler {
		return newMiddleware(b, newGuard(b, new(memtest.Store)), opts...).Wrap(http.HandlerFunc(benchHandler))
	}
	b.Run("bare", func(b *testing.B) { run(b, http.HandlerFunc(benchHandler), "application/json", fresh) })
	b.Run("no key", func(b *testing.B) { run(b, wrapped(httpadapter.Optional()), "application/json", nil) })
	b.Run("bare, no key", func(b *testing.B) { run(b, http.HandlerFunc(benchHandler), "application/json", nil) })
	for _, kind := range []string{"application/json", "text/plain"} {
		b.Run("first "+kind, func(b *testing.B) { run(b, wrapped(), kind, fresh) })
		b.Run("replay "+kind, func(b *testing.B) { run(b, wrapped(), kind, same) })
	}
	b.Run("engine alone, first", func(b *testing.B) { engine(b, fresh) })
	b.Run("engine alone, replay", func(b *testing.B) { engine(b, same) })
}

// engine is what Guard.Exec costs of an exchange.
func engine(b *testing.B, key func(int) string) {
	b.Helper()
	g, r := newGuard(b, new(memtest.Store)), sent("")
	call := idem.Call{User: "alice", Codec: "bench", Run: func(context.Context) idem.Answer {
		return idem.Answer{Disposition: idem.Keep, Payload: benchAnswer}
	}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		call.Key = idem.Key(key(i))
		_, _ = g.Exec(r.Context(), call, idem.Detached())
	}
}
