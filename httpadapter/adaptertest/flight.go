package adaptertest

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

// gate is a handler that stays inside until it is let go.
type gate struct {
	r        *rig
	inside   chan struct{}
	released chan struct{}
}

func (r *rig) gate() *gate {
	return &gate{r, make(chan struct{}, 100), make(chan struct{})}
}

func (g *gate) order(w http.ResponseWriter, request *http.Request) {
	g.inside <- struct{}{}
	g.r.wait(g.released)
	g.r.order(w, request)
}

// hold sends a request and returns when its handler runs.
func (g *gate) hold(s *server, changes ...change) <-chan response {
	s.Helper()
	done := s.begin(changes...)
	s.soon("the first request", g.inside)
	return done
}

func (g *gate) open() { close(g.released) }

// meeting is a store that tells when a claim met another one.
type meeting struct {
	backend.Store
	met chan<- struct{}
}

func (m meeting) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	grant, err := m.Store.Begin(ctx, c)
	if err == nil && grant.Verdict == backend.InFlight {
		select {
		case m.met <- struct{}{}:
		default:
		}
	}
	return grant, err
}

// inFlight checks that a request is told when to come back.
func (got response) inFlight() {
	got.s.Helper()
	p := got.refused(409, idem.CodeInFlight)
	if want := "A request is outstanding for this Idempotency-Key"; p.Title != want {
		got.s.Fatalf("the title is %q, want that of the draft, %q", p.Title, want)
	}
	if after, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || after < 1 || after > 30 {
		got.s.Fatalf("Retry-After is %q, want 1 to 30 seconds", got.header.Get("Retry-After"))
	}
}

var flightRules = []Rule{
	rule("a duplicate in flight is refused",
		"While the first request is processed the same request is 409 in_flight at once, with a Retry-After.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(g.order)
			firstOne := g.hold(s)
			s.send().inFlight()
			s.send().inFlight()
			g.open()
			s.await(firstOne).first(201, ordered(1))
			s.send().replayed(201, ordered(1))
			r.ran(1)
		}),
	rule("a mismatch in flight is a mismatch",
		"Another request under a key in flight is 422 mismatch: waiting would not help.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(g.order)
			firstOne := g.hold(s)
			s.send(body(`{}`)).refused(422, idem.CodeMismatch)
			g.open()
			s.await(firstOne).first(201, ordered(1))
		}),
	rule("a refusal in flight points to the documentation",
		"409 in_flight too has the configured page as its type and in a Link header.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(g.order, httpadapter.Documentation(guide))
			firstOne := g.hold(s)
			got := s.send()
			if p := got.refused(409, idem.CodeInFlight); p.Type != guide+"#in_flight" {
				r.Fatalf("the type is %q", p.Type)
			}
			got.value("Link", "<"+guide+`>; rel="describedby"`)
			g.open()
			s.await(firstOne).first(201, ordered(1))
		}),
	rule("a duplicate in another process is in flight",
		"The claim is in the store: a second process refuses too.",
		func(r *rig) {
			g := r.gate()
			one, two := r.serve(g.order), r.serveWith(setup{process: 1}, g.order)
			firstOne := g.hold(one)
			two.send().inFlight()
			g.open()
			one.await(firstOne).first(201, ordered(1))
			two.send().replayed(201, ordered(1))
			r.ran(1)
		}),
	rule("of simultaneous requests one runs",
		"Of many requests at once, through two processes, one runs; each other is in flight or gets its answer.",
		func(r *rig) {
			g := r.gate()
			servers := []*server{r.serve(g.order), r.serveWith(setup{process: 1}, g.order)}
			answers := make(chan response, r.harness.Width)
			var ready sync.WaitGroup
			ready.Add(r.harness.Width)
			for i := range r.harness.Width {
				s := servers[i%2]
				request := s.request()
				go func() {
					ready.Done()
					ready.Wait()
					answers <- s.try(request)
				}()
			}
			r.soon("the first request", g.inside)
			firsts := 0
			for i := range r.harness.Width {
				if i == r.harness.Width-1 {
					g.open() // all others were refused while it ran
				}
				got := <-answers
				r.ok("a request", got.err)
				if got.status != 201 {
					got.inFlight()
					continue
				}
				got.first(201, ordered(1))
				firsts++
			}
			r.ran(1)
			if firsts != 1 {
				r.Fatalf("%d clients got the first answer", firsts)
			}
		}),
	rule("another key is not in flight",
		"Requests under other keys, and of other users under the same, do not wait for each other.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(g.order)
			all := []<-chan response{g.hold(s), g.hold(s, key("key-2")), g.hold(s, user("bob"))}
			g.open()
			for _, done := range all {
				if got := s.await(done); got.status != 201 || got.marked() {
					r.Fatalf("the answer is %d", got.status)
				}
			}
			r.ran(3)
		}),
	rule("a duplicate may wait",
		"With idem.Wait a duplicate waits for the first one's answer and gets it.",
		func(r *rig) {
			g, met := r.gate(), make(chan struct{}, 1)
			r.stores[0] = meeting{r.stores[0], met}
			s := r.serve(g.order, httpadapter.Call(idem.Wait(r.harness.Patience)))
			firstOne := g.hold(s)
			second := s.begin()
			r.soon("the duplicate's claim", met) // it is told that the first one is in flight: now it waits
			g.open()
			s.await(firstOne).first(201, ordered(1))
			s.await(second).replayed(201, ordered(1))
			r.ran(1)
		}),
	rule("a waiter that gives up leaves the owner alone",
		"A duplicate whose Wait is over is in flight, and changes nothing for the first.",
		func(r *rig) {
			g := r.gate()
			s := r.serve(g.order, httpadapter.Call(idem.Wait(20*time.Millisecond)))
			firstOne := g.hold(s)
			s.send().inFlight()
			g.open()
			s.await(firstOne).first(201, ordered(1))
			s.send().replayed(201, ordered(1))
			r.ran(1)
		}),
}
