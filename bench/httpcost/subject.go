package httpcost

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	fiberv2 "github.com/gofiber/fiber/v2"
	idempotencyv2 "github.com/gofiber/fiber/v2/middleware/idempotency"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/idempotency"
	"github.com/valyala/fasthttp"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// subject is one thing that is measured. fresh makes it anew; what it returns makes the n-th caller, whose calls are
// independent of the others'.
type subject struct {
	name  string
	fresh func() func(caller int) (call func())
}

var subjects = []subject{
	{"net/http bare", func() func(int) func() { return netHTTP(handler, newKeys) }},
	{"idem first", func() func(int) func() { return netHTTP(guard(), newKeys) }},
	{"idem replay", func() func(int) func() { return netHTTP(guard(), oneKey) }},
	{"net/http bare no key", func() func(int) func() { return netHTTP(handler, noKey) }},
	{"idem no key", func() func(int) func() { return netHTTP(guard(httpadapter.Optional()), noKey) }},
	{"fiber v3 bare", func() func(int) func() { return onFiber(fiberV3(false), newKeys) }},
	{"fiber v3 first", func() func(int) func() { return onFiber(fiberV3(true), newKeys) }},
	{"fiber v3 replay", func() func(int) func() { return onFiber(fiberV3(true), oneKey) }},
	{"fiber v2 bare", func() func(int) func() { return onFiber(fiberV2(false), newKeys) }},
	{"fiber v2 first", func() func(int) func() { return onFiber(fiberV2(true), newKeys) }},
	{"fiber v2 replay", func() func(int) func() { return onFiber(fiberV2(true), oneKey) }},
}

var (
	body   = `{"account":"a-1","amount":125,"note":"` + strings.Repeat("n", 233) + `"}` // 272 bytes
	answer = []byte(strings.Repeat("x", 512))
)

// handler reads the body and answers with two headers and 512 bytes.
var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/orders/1")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer)
})

func guard(opts ...httpadapter.Option) http.Handler {
	user := func(*http.Request) (idem.User, error) { return "alice", nil }
	g := idem.Must(idem.New("orders", new(memtest.Store)))
	return idem.Must(httpadapter.New(g, user, opts...)).Wrap(handler)
}

// keys fills in the next key of a caller: 36 characters, as fiber's wants them. Bare subjects make keys too.
type keys func(caller int) (next func(key []byte))

func newKeys(caller int) func([]byte) {
	n := 0
	return func(key []byte) {
		n++
		copy(key, "00000000-0000-0000-0000-000000000000")
		for i, v := 35, n; v > 0; i, v = i-1, v/10 {
			key[i] = byte('0' + v%10)
		}
		key[0], key[1] = byte('0'+caller/10), byte('0'+caller%10)
	}
}

func oneKey(int) func([]byte) {
	return func(key []byte) { copy(key, "11111111-0000-0000-0000-000000000000") }
}

var noKey keys

// sink is a writer without a cost of its own.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// netHTTP calls a handler without a server. Each call has a request of its own, made of old parts.
func netHTTP(h http.Handler, k keys) func(int) func() {
	return func(caller int) func() {
		from := strings.NewReader(body)
		r := &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: "/orders"}, RequestURI: "/orders", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(from), ContentLength: int64(len(body)),
		}
		line, key, w := []string{""}, make([]byte, 36), &sink{http.Header{}}
		var next func([]byte)
		if k != nil {
			next, r.Header["Idempotency-Key"] = k(caller), line
		}
		return func() {
			if next != nil {
				next(key)
				line[0] = string(key)
			}
			from.Reset(body)
			clear(w.header)
			h.ServeHTTP(w, r)
		}
	}
}

// fiberLifetime is short, since the storage of fiber's middleware is never closed: let it forget.
const fiberLifetime = 2 * time.Second

func fiberV3(guarded bool) fasthttp.RequestHandler {
	app := fiber.New()
	if guarded {
		app.Use(idempotency.New(idempotency.Config{Lifetime: fiberLifetime, KeepResponseHeaders: []string{"Content-Type", "Location"}}))
	}
	app.Post("/orders", func(c fiber.Ctx) error {
		_ = c.Body()
		c.Set("Content-Type", "application/json")
		c.Set("Location", "/orders/1")
		return c.Status(http.StatusCreated).Send(answer)
	})
	return app.Handler()
}

func fiberV2(guarded bool) fasthttp.RequestHandler {
	app := fiberv2.New()
	if guarded {
		app.Use(idempotencyv2.New(idempotencyv2.Config{Lifetime: fiberLifetime, KeepResponseHeaders: []string{"Content-Type", "Location"}}))
	}
	app.Post("/orders", func(c *fiberv2.Ctx) error {
		_ = c.Body()
		c.Set("Content-Type", "application/json")
		c.Set("Location", "/orders/1")
		return c.Status(http.StatusCreated).Send(answer)
	})
	return app.Handler()
}

// onFiber calls an app without a server.
func onFiber(handle fasthttp.RequestHandler, k keys) func(int) func() {
	return func(caller int) func() {
		next, key, ctx := k(caller), make([]byte, 36), new(fasthttp.RequestCtx)
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.SetRequestURI("/orders")
		ctx.Request.Header.SetContentType("application/json")
		ctx.Request.SetBodyString(body)
		return func() {
			next(key)
			ctx.Request.Header.SetBytesV("X-Idempotency-Key", key)
			ctx.Response.Reset()
			handle(ctx)
		}
	}
}
