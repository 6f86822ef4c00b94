package adaptertest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// guide is a page that explains the use of keys.
const guide = "https://api.example/keys"

// refusals are requests that are refused while nothing is wrong with the server; s has answered the default request.
var refusals = []struct {
	what   string
	change change
	status int
	code   idem.Code
}{
	{"a missing key", without("Idempotency-Key"), 400, idem.CodeMissingKey},
	{"a malformed key", key(`"`), 400, idem.CodeInvalidKey},
	{"a missing user", without(userHeader), 401, idem.CodeMissingUser},
	{"a mismatch", body(`{}`), 422, idem.CodeMismatch},
	{"a large body", body(strings.Repeat("x", 2000)), 413, httpadapter.CodeBodyTooLarge},
}

var refusalRules = []Rule{
	rule("refusals are problems",
		"A refusal is application/problem+json (RFC 9457) in English with a title, a detail that says what to do next, and a "+
			"stable code; it is not to be cached, and is no replay.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.MaxBody(1000))
			s.send().first(201, ordered(1))
			for _, c := range refusals {
				got := s.send(c.change)
				if p := got.refused(c.status, c.code); p.Title == "" || p.Detail == "" {
					r.Fatalf("the refusal of %s has the title %q and the detail %q", c.what, p.Title, p.Detail)
				}
				got.value("Content-Language", "en")
				got.value("Cache-Control", "no-store")
				got.lacks("Idempotent-Replayed", "Location")
			}
			r.ran(1)
		}),
	rule("refusals point to the documentation",
		"Where a page is configured a refusal has it as its type and in a Link header with rel=describedby.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.MaxBody(1000), httpadapter.Documentation(guide))
			s.send().first(201, ordered(1))
			for _, c := range refusals {
				got := s.send(c.change)
				if p := got.refused(c.status, c.code); p.Type != guide+"#"+string(c.code) {
					r.Fatalf("the refusal of %s has the type %q", c.what, p.Type)
				}
				got.value("Link", "<"+guide+`>; rel="describedby"`)
			}
		}),
	rule("titles are those of the draft",
		"Refusals that the draft names have its titles.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send().first(201, ordered(1))
			for title, got := range map[string]problem{
				"Idempotency-Key is missing":      s.send(without("Idempotency-Key")).refused(400, idem.CodeMissingKey),
				"Idempotency-Key is already used": s.send(body(`{}`)).refused(422, idem.CodeMismatch),
			} {
				if got.Title != title {
					r.Fatalf("the title is %q, want %q", got.Title, title)
				}
			}
		}),
	rule("nobody is refused with a challenge",
		"A request of nobody is 401 with a WWW-Authenticate header, and shares no record with others.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.Challenge(`Bearer realm="kit"`))
			got := s.send(without(userHeader))
			got.refused(401, idem.CodeMissingUser)
			got.value("Www-Authenticate", `Bearer realm="kit"`)
			r.ran(0)
		}),
	rule("a user that is not known is not nobody",
		"Where it cannot be found out whose request it is the answer is 503 with Retry-After, without the reason.",
		func(r *rig) {
			fails := func(*http.Request) (idem.User, error) { return "alice", errors.New("canary") }
			s := r.serveWith(setup{user: fails}, r.order)
			got := s.send()
			got.refused(503, httpadapter.CodeUserUnknown)
			got.value("Retry-After", "1")
			if strings.Contains(string(got.body), "canary") {
				r.Fatalf("the refusal shows why: %s", got.body)
			}
			r.ran(0)
		}),
	rule("a refusal claims nothing",
		"After a refusal for its user or its body the key is as it was: another request may use it.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.MaxBody(1000))
			s.send(without(userHeader)).refused(401, idem.CodeMissingUser)
			s.send(body(strings.Repeat("x", 2000))).refused(413, httpadapter.CodeBodyTooLarge)
			s.send(body(strings.Repeat("x", 2000)), chunked).refused(413, httpadapter.CodeBodyTooLarge)
			s.send().first(201, ordered(1))
		}),
	rule("headers from further out stay",
		"What was set outside of the middleware is on first answers, replays and refusals.",
		func(r *rig) {
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					w.Header().Set("X-Request-Id", "r-1")
					h.ServeHTTP(w, request)
				})
			}}, r.order)
			s.send().first(201, ordered(1)).value("X-Request-Id", "r-1")
			s.send().replayed(201, ordered(1)).value("X-Request-Id", "r-1")
			s.send(body(`{}`)).value("X-Request-Id", "r-1")
		}),
}
