package adaptertest

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// asAsked answers with the status that the request names.
func asAsked(w http.ResponseWriter, request *http.Request) {
	status, _ := strconv.Atoi(request.Header.Get("X-Want"))
	w.WriteHeader(status)
}

// wanting is a request for a status, under a key of its own.
func wanting(status int) change {
	name := strconv.Itoa(status)
	return all(header("X-Want", name), key("key-"+name))
}

var storedRules = []Rule{
	rule("final answers are kept",
		"2xx, 3xx and those 4xx that will not change by waiting are kept.",
		func(r *rig) {
			s := r.serve(asAsked)
			for i, status := range []int{200, 201, 202, 303, 400, 404, 410, 422} {
				s.send(wanting(status)).first(status, "")
				s.send(wanting(status)).replayed(status, "")
				r.ran(i + 1)
			}
		}),
	rule("answers of the moment free the key",
		"401, 403, 408, 409, 412, 423, 425, 428, 429 and 5xx are not kept: a retry runs again.",
		func(r *rig) {
			s := r.serve(asAsked)
			for i, status := range []int{401, 403, 408, 409, 412, 423, 425, 428, 429, 500, 502, 503, 504} {
				s.send(wanting(status)).first(status, "")
				s.send(wanting(status)).first(status, "")
				r.ran(2*i + 2)
			}
		}),
	rule("a key that is free may carry another request",
		"After an answer that is not kept the same key may be used with another body.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if r.runs.Load() == 1 {
					http.Error(w, "down", http.StatusServiceUnavailable)
					return
				}
				r.order(w, request)
			})
			s.send().first(503, "down\n")
			s.send(body(`{}`)).first(201, ordered(2))
		}),
	rule("under Hold a 5xx is held",
		"Under the guarantee Hold a 5xx may have had its effect: a retry is 409 unknown_outcome, without Retry-After.",
		func(r *rig) {
			s := r.serveWith(setup{guard: []idem.GuardOption{idem.Hold}}, answering(502, "gateway"))
			s.send().first(502, "gateway")
			got := s.send()
			got.refused(409, idem.CodeUnknownOutcome)
			got.lacks("Retry-After")
			r.ran(1)
		}),
	rule("the service chooses what is kept",
		"Disposition changes what becomes of a status.",
		func(r *rig) {
			s := r.serve(asAsked, httpadapter.Disposition(func(_ *http.Request, status int) idem.Disposition {
				switch status {
				case 404:
					return idem.Release
				case 503:
					return idem.Keep
				}
				return 0
			}))
			s.send(wanting(404)).first(404, "")
			s.send(wanting(404)).first(404, "")
			s.send(wanting(503)).first(503, "")
			s.send(wanting(503)).replayed(503, "")
			s.send(wanting(200)).first(200, "")
			s.send(wanting(200)).replayed(200, "")
		}),
	rule("an answer that is too large is a tombstone",
		"It goes to the first client. Later ones are told that it was done, with its status and Location: 409 answer_not_kept.",
		func(r *rig) {
			large := strings.Repeat("x", 5000)
			s := r.serve(answering(201, large, "Location", "/orders/1", "Set-Cookie", "a=1"), httpadapter.Call(idem.MaxResult(1000)))
			s.send().first(201, large)
			got := s.send()
			if p := got.refused(409, idem.CodeAnswerNotKept); p.OriginalStatus != 201 {
				r.Fatalf("original_status is %d, want 201", p.OriginalStatus)
			}
			got.value("Location", "/orders/1")
			got.lacks("Retry-After", "Set-Cookie")
			r.ran(1)
		}),
	rule("nothing is sent before it is stored",
		"A handler that wrote, flushed and then failed has told its client nothing.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if r.runs.Load() == 1 {
					w.WriteHeader(http.StatusOK)
					_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
					if err := http.NewResponseController(w).Flush(); err == nil {
						r.wrong("a flush reached the client")
					}
					if f, ok := w.(http.Flusher); ok {
						f.Flush()
					}
					panic(http.ErrAbortHandler)
				}
				r.order(w, request)
			})
			if got := s.try(s.request()); got.err == nil && got.status < 500 || got.status == 200 {
				r.Fatalf("the client was told %d before the answer was stored", got.status)
			}
			s.send().first(201, ordered(2))
		}),
	rule("a panic frees the key",
		"A panic passes through to the server, http.ErrAbortHandler too, and the next request runs.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if r.runs.Load() == 1 {
					panic(http.ErrAbortHandler)
				}
				r.order(w, request)
			})
			if got := s.try(s.request()); got.err == nil {
				r.Fatalf("the panic did not pass: the client was answered with %d", got.status)
			}
			s.send().first(201, ordered(2))
		}),
	rule("under Hold a panic is held",
		"Under the guarantee Hold a panic leaves a question: later requests are 409 unknown_outcome.",
		func(r *rig) {
			s := r.serveWith(setup{guard: []idem.GuardOption{idem.Hold}}, func(http.ResponseWriter, *http.Request) {
				panic(http.ErrAbortHandler)
			})
			_ = s.try(s.request())
			s.send().refused(409, idem.CodeUnknownOutcome)
			r.ran(1)
		}),
}
