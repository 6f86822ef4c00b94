package adaptertest

import (
	"net/http"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

var expiryRules = []Rule{
	rule("an answer replays for its retention",
		"A stored answer replays until its retention is over; then the key is as one that was never seen.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send().first(201, ordered(1))
			r.advance(retention - minute)
			s.send().replayed(201, ordered(1))
			r.advance(2 * minute)
			s.send(body(`{}`)).first(201, ordered(2))
		}),
	rule("a route may have its own retention",
		"idem.Retention of a route counts for its answers.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.Call(idem.Retention(time.Hour)))
			s.send().first(201, ordered(1))
			r.advance(time.Hour - minute)
			s.send().replayed(201, ordered(1))
			r.advance(2 * minute)
			s.send().first(201, ordered(2))
		}),
	rule("a lapsed claim is taken over",
		"A request whose process says nothing for a lease does not block its key: the next one runs, as another attempt.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if r.runs.Load() == 1 {
					g.order(w, request)
					return
				}
				if attempt, _ := idem.AttemptFrom(request.Context()); attempt.Number != 2 || !attempt.Takeover {
					r.wrong("the second run is not attempt 2, a takeover")
				}
				r.order(w, request)
			})
			g.hold(s)
			s.send().inFlight()
			r.advance(lease + minute)
			s.send().first(201, ordered(2))
			g.open()
		}),
	rule("a late answer does not count",
		"An attempt that was taken over gives its client the answer that is stored, as a replay, and not its own.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if r.runs.Load() == 1 {
					g.inside <- struct{}{}
					r.wait(g.released)
					answering(200, "too late")(w, request)
					return
				}
				r.order(w, request)
			})
			late := g.hold(s)
			r.advance(lease + minute)
			s.send().first(201, ordered(2))
			g.open()
			s.await(late).replayed(201, ordered(2))
			s.send().replayed(201, ordered(2))
		}),
	rule("under Hold a lapsed claim is unknown",
		"Under the guarantee Hold nobody runs again what may have happened: 409 unknown_outcome, without Retry-After.",
		func(r *rig) {
			g := r.gate()
			s := r.serveWith(setup{guard: []idem.GuardOption{idem.Hold}}, g.order)
			g.hold(s)
			r.advance(lease + minute)
			got := s.send()
			got.refused(409, idem.CodeUnknownOutcome)
			got.lacks("Retry-After")
			r.ran(1)
			g.open()
		}),
}
