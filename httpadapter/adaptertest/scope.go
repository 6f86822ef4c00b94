package adaptertest

import (
	"fmt"
	"net/http"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

var scopeRules = []Rule{
	rule("a key belongs to its user",
		"Two users with one key are two records: nobody gets another's answer or cookie, or learns that his key was used.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				owner, _ := httpadapter.UserOf(request.Context())
				http.SetCookie(w, &http.Cookie{Name: "session", Value: string(owner)})
				fmt.Fprintf(w, "order of %s", owner)
			})
			s.send(user("alice")).first(200, "order of alice")
			got := s.send(user("bob")).first(200, "order of bob")
			got.value("Set-Cookie", "session=bob")
			s.send(user("carol"), body(`{"another":"request"}`)).first(200, "order of carol")
			s.send(user("alice")).replayed(200, "order of alice")
			r.ran(3)
		}),
	rule("guards do not answer for each other",
		"A record belongs to its guard: two services on one store do not share keys.",
		func(r *rig) {
			orders, refunds := r.serve(r.order), r.serveWith(setup{name: "-refunds"}, r.order)
			orders.send().first(201, ordered(1))
			refunds.send().first(201, ordered(2))
			orders.send().replayed(201, ordered(1))
		}),
	rule("processes share their records",
		"What one process answered another replays, and refuses as a mismatch.",
		func(r *rig) {
			one, two := r.serve(r.order), r.serveWith(setup{process: 1}, r.order)
			one.send().first(201, ordered(1))
			two.send().replayed(201, ordered(1))
			two.send(body(`{}`)).refused(422, idem.CodeMismatch)
			two.send(key("key-2")).first(201, ordered(2))
			one.send(key("key-2")).replayed(201, ordered(2))
		}),
	rule("routes may have records of their own",
		"With PerRoute a key that is used on two routes names two records.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.PerRoute())
			s.send(to("/orders/1")).first(201, ordered(1))
			s.send(to("/orders/2")).first(201, ordered(2))
			s.send(to("/orders/1")).replayed(201, ordered(1))
			s.send(to("/orders/1"), body(`{}`)).refused(422, idem.CodeMismatch)
		}),
	rule("other methods pass untouched",
		"POST and PATCH are guarded. A request with another method runs every time, has no user and needs no key.",
		func(r *rig) {
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				if owner, ok := httpadapter.UserOf(request.Context()); ok {
					r.wrong("a request that passes has the user %s", owner)
				}
				r.order(w, request)
			})
			for i, name := range []string{"GET", "PUT", "DELETE", "GET"} {
				s.send(method(name), without(userHeader)).first(201, ordered(i+1))
				s.send(method(name), key("")).is(201, ordered(i+2))
				r.runs.Store(int32(i + 1))
			}
			if n := r.asked.Load(); n != 0 {
				r.Fatalf("the user was asked for %d times", n)
			}
		}),
	rule("the service chooses the methods",
		"With Methods these are guarded and no others.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.Methods("DELETE"))
			s.send(method("DELETE")).first(201, ordered(1))
			s.send(method("DELETE")).replayed(201, ordered(1))
			s.send(method("DELETE"), without("Idempotency-Key")).refused(400, idem.CodeMissingKey)
			s.send(method("POST"), without("Idempotency-Key")).first(201, ordered(2))
		}),
	rule("a key may be optional",
		"With Optional a request without the header passes untouched; a key that is there counts, and must be valid.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.Optional())
			s.send(without("Idempotency-Key")).first(201, ordered(1))
			s.send(without("Idempotency-Key")).first(201, ordered(2))
			s.send().first(201, ordered(3))
			s.send().replayed(201, ordered(3))
			s.send(key("")).refused(400, idem.CodeInvalidKey)
		}),
	rule("a middleware inside of another is one",
		"Where a request comes to a middleware of a guard that has it already, it passes.",
		func(r *rig) {
			var inner http.Handler
			s := r.serve(func(w http.ResponseWriter, request *http.Request) { inner.ServeHTTP(w, request) })
			inner = r.build(setup{}, r.order)
			s.send().first(201, ordered(2))
			s.send().replayed(201, ordered(2))
			r.ran(2) // one handler inside of the other
		}),
}
