package adaptertest

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

var keyRules = []Rule{
	rule("the first request with a key runs the handler",
		"A request whose key was never seen is processed as without the middleware, and its answer is the handler's.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send().first(201, ordered(1))
			s.send(key(`"key-2"`)).first(201, ordered(2))
		}),
	rule("a retry gets the answer again",
		"The same request with the same key gets the stored answer, as often as it is sent, and the handler does not run.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send().first(201, ordered(1))
			for range 3 {
				s.send().replayed(201, ordered(1))
			}
			r.ran(1)
		}),
	rule("a request without a key is refused",
		"On a guarded route a request without the header is 400 missing_key.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send(without("Idempotency-Key")).refused(400, idem.CodeMissingKey)
			r.ran(0)
		}),
	rule("a key is a quoted string or the bare value",
		`A key is a string of RFC 9651: "key-1". Many clients send it bare; key-1 is the same key. Parameters mean nothing.`,
		func(r *rig) {
			s := r.serve(r.order)
			s.send(key(`"key-1"`)).first(201, ordered(1))
			for _, same := range []string{`key-1`, `"key-1";a;b=2`, ` "key-1" `} {
				s.send(key(same)).replayed(201, ordered(1))
			}
		}),
	rule("a quoted key is decoded",
		`Escapes in a quoted key are decoded: "a\\b" holds one backslash.`,
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				attempt, _ := idem.AttemptFrom(request.Context())
				fmt.Fprint(w, attempt.Key)
			})
			s.send(key(`"a\\b \"c\""`)).first(200, `a\b "c"`)
		}),
	rule("a malformed key is refused",
		"An empty, unterminated or badly escaped key, a list, one with a control or non-ASCII byte, and one that something "+
			"follows are 400 invalid_key. A malformed key must never pass for another one.",
		func(r *rig) {
			s := r.serve(r.order)
			for _, bad := range []string{
				``, ` `, `""`, `"key-1`, `key-1"`, `"key\-1"`, `"key-1" x`, `"key-1", "key-2"`, `key-1, key-2`, `key 1`, `"kéy"`,
				"\"key\t1\"", `"key-1";`, `"key-1";=1`, `key;1`,
			} {
				s.send(key(bad)).refused(400, idem.CodeInvalidKey)
			}
			r.ran(0)
		}),
	rule("a key that is sent twice is refused",
		"Two header lines are 400 invalid_key, be they the same.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send(header("Idempotency-Key", defaultKey, defaultKey)).refused(400, idem.CodeInvalidKey)
			r.ran(0)
		}),
	rule("a key has at most 255 bytes",
		"255 bytes are a key, 256 are 400 invalid_key.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send(key(strings.Repeat("k", 255))).first(201, ordered(1))
			s.send(key(strings.Repeat("k", 256))).refused(400, idem.CodeInvalidKey)
			s.send(key(`"`+strings.Repeat("k", 255)+`"`)).replayed(201, ordered(1))
		}),
	rule("keys differ in every byte",
		"Keys compare byte for byte: case and length matter.",
		func(r *rig) {
			s := r.serve(r.order)
			long := strings.Repeat("k", 250)
			for i, other := range []string{"key-1", "KEY-1", "key-11", long + "1", long + "2"} {
				s.send(key(other)).first(201, ordered(i+1))
			}
		}),
	rule("strict routes take quoted keys only",
		"With Strict a bare key is 400 invalid_key.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.Strict())
			s.send(key(`key-1`)).refused(400, idem.CodeInvalidKey)
			s.send(key(`"key-1"`)).first(201, ordered(1))
		}),
	rule("another header may carry the key",
		"With Header the key is in the header of that name, and the usual one means nothing.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.Header("x-request-key"))
			s.send(header("X-Request-Key", "a")).first(201, ordered(1))
			s.send(header("X-Request-Key", "a"), key("b")).replayed(201, ordered(1))
			s.send().refused(400, idem.CodeMissingKey)
		}),
	rule("a key is checked before anything else is done",
		"A request without a valid key costs nothing: its user is not asked for and its body is not read.",
		func(r *rig) {
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					request.Body = &watched{ReadCloser: request.Body, read: func() { r.wrong("the body was read") }}
					h.ServeHTTP(w, request)
				})
			}}, r.order)
			s.send(key(`"`)).refused(400, idem.CodeInvalidKey)
			s.send(without("Idempotency-Key")).refused(400, idem.CodeMissingKey)
			if n := r.asked.Load(); n != 0 {
				r.Fatalf("the user was asked for %d times", n)
			}
		}),
}

// watched is a body that tells when it is read.
type watched struct {
	io.ReadCloser
	read func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.read()
	return w.ReadCloser.Read(p)
}
