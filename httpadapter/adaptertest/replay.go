package adaptertest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/idem-go/idem/httpadapter"
)

// representation are headers that describe an answer.
var representation = map[string][]string{
	"Content-Type": {"application/json"}, "Content-Language": {"de"}, "Content-Encoding": {"x-kit"},
	"Content-Disposition": {`attachment; filename="a"`}, "Location": {"/orders/1"}, "Content-Location": {"/orders/1"},
	"Etag": {`"1"`}, "Last-Modified": {"Thu, 01 Jan 1970 00:00:00 GMT"}, "Retry-After": {"7"},
	"Link": {"<a>; rel=next", "<b>; rel=prev"},
}

// delivery are headers that belong to one delivery of an answer, or that idem does not know.
var delivery = map[string][]string{
	"Set-Cookie": {"session=alice", "b=2"}, "Www-Authenticate": {"Bearer"}, "Access-Control-Allow-Origin": {"*"},
	"X-Own": {"1"}, "Vary": {"Origin"},
}

// detailed answers with all these headers.
func detailed(w http.ResponseWriter, _ *http.Request) {
	for _, headers := range []map[string][]string{representation, delivery} {
		for name, values := range headers {
			w.Header()[name] = slices.Clone(values)
		}
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "{}")
}

func (got response) has(headers map[string][]string) {
	got.s.Helper()
	for name, values := range headers {
		if !slices.Equal(got.header[name], values) {
			got.s.Fatalf("%s is %q, want %q", name, got.header[name], values)
		}
	}
}

// answering makes a handler of a status, a body and a header.
func answering(status int, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		if text != "" {
			_, _ = io.WriteString(w, text)
		}
	}
}

// binary is every byte many times.
func binary() []byte {
	once := make([]byte, 256)
	for i := range once {
		once[i] = byte(i)
	}
	return bytes.Repeat(once, 600)
}

var replayRules = []Rule{
	rule("a replay says that it is one",
		"A replay has Idempotent-Replayed: true, a first answer has no such header, whatever the handler says.",
		func(r *rig) {
			s := r.serve(answering(200, "x"))
			s.send().first(200, "x")
			s.send().replayed(200, "x").value("Idempotent-Replayed", "true")
		}),
	rule("a body comes back byte for byte",
		"A replay has the same bytes as the first answer, whatever they are and in however many writes they came.",
		func(r *rig) {
			content := binary()
			s := r.serve(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				for part := range slices.Chunk(content, 1000) {
					if n, err := w.Write(part); n != len(part) || err != nil {
						r.wrong("Write of %d bytes returned %d, %v", len(part), n, err)
					}
				}
			})
			s.send().first(200, string(content))
			s.send().replayed(200, string(content))
		}),
	rule("an answer without a body replays",
		"An empty answer is an answer like any other: 204, or 200 with nothing in it, or no word at all.",
		func(r *rig) {
			for i, h := range []http.HandlerFunc{
				answering(204, ""), answering(200, ""), func(http.ResponseWriter, *http.Request) {},
			} {
				s := r.serveWith(setup{name: string(rune('a' + i))}, h)
				status := s.send().status
				s.send().replayed(status, "")
				r.ran(i + 1)
			}
		}),
	rule("errors and redirects replay",
		"An answer of the handler is the result, be it 303, 404 or 422: a retry gets it and runs nothing.",
		func(r *rig) {
			for i, status := range []int{303, 404, 422} {
				s := r.serveWith(setup{name: string(rune('a' + i))}, answering(status, "no", "Location", "/x", "Content-Type", "text/plain"))
				s.send().first(status, "no").value("Location", "/x")
				s.send().replayed(status, "no").value("Location", "/x")
				r.ran(i + 1)
			}
		}),
	rule("a replay describes its answer",
		"Headers of the representation replay, each with all its values in order.",
		func(r *rig) {
			s := r.serve(detailed)
			s.send().first(202, "{}")
			s.send().replayed(202, "{}").has(representation)
		}),
	rule("a replay has no cookie",
		"Cookies, challenges, CORS and headers that idem does not know belong to the first delivery and never replay.",
		func(r *rig) {
			s := r.serve(detailed)
			s.send().first(202, "{}")
			got := s.send().replayed(202, "{}")
			for name := range delivery {
				got.lacks(name)
			}
		}),
	rule("the first answer keeps all its headers",
		"The first client gets what the handler set, cookies included, and nothing of the middleware's.",
		func(r *rig) {
			s := r.serve(detailed)
			got := s.send().first(202, "{}")
			got.has(representation)
			got.has(delivery)
			got.lacks("Cache-Control")
		}),
	rule("the service adds headers to replays",
		"With ReplayHeaders a header of the service's own replays too.",
		func(r *rig) {
			s := r.serve(detailed, httpadapter.ReplayHeaders("x-own"))
			s.send().first(202, "{}")
			got := s.send().replayed(202, "{}")
			got.value("X-Own", "1")
			got.lacks("Set-Cookie")
		}),
	rule("a replay is not cached",
		"A replay has Cache-Control: no-store, unless the handler set one, which then replays.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if request.URL.Path == "/private" {
					w.Header().Set("Cache-Control", "private, max-age=1")
				}
			})
			s.send().first(200, "")
			s.send().replayed(200, "").value("Cache-Control", "no-store")
			s.send(to("/private"), key("key-2")).first(200, "")
			s.send(to("/private"), key("key-2")).replayed(200, "").value("Cache-Control", "private, max-age=1")
		}),
	rule("a type that was guessed replays",
		"Where the handler names no content type the first answer has the one that net/http guesses, and a replay has the same.",
		func(r *rig) {
			const page = "<!DOCTYPE html><p>hello"
			s := r.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
			s.send().first(200, page).value("Content-Type", "text/html; charset=utf-8")
			s.send().replayed(200, page).value("Content-Type", "text/html; charset=utf-8")
		}),
	rule("what comes after the status does not count",
		"A second status, and headers that are set once the answer has begun, are sent to nobody.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/1")
				w.WriteHeader(201)
				_, _ = io.WriteString(w, "one")
				w.Header().Set("Location", "/2")
				w.Header().Set("Etag", `"late"`)
				w.WriteHeader(500)
			})
			got := s.send().first(201, "one")
			got.value("Location", "/1")
			got.lacks("Etag")
			got = s.send().replayed(201, "one")
			got.value("Location", "/1")
			got.lacks("Etag")
		}),
	rule("an answer has its length",
		"First answers and replays are sent whole, with their length.",
		func(r *rig) {
			long := strings.Repeat("x", 100_000)
			s := r.serve(answering(200, long))
			for range 2 {
				s.send().value("Content-Length", "100000")
			}
		}),
}
