package adaptertest

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/idem-go/idem"
)

// mismatch makes a row about requests that are not the first one though they have its key.
func mismatch(name, text string, firstOne change, others ...change) Rule {
	return rule(name, text, func(r *rig) {
		r.Helper()
		s := r.serve(r.order)
		s.send(firstOne).first(201, ordered(1))
		for _, other := range others {
			s.send(firstOne, other).refused(422, idem.CodeMismatch)
		}
		s.send(firstOne).replayed(201, ordered(1))
		r.ran(1)
	})
}

// same makes a row about requests that are the first one though they look different.
func same(name, text string, firstOne change, others ...change) Rule {
	return rule(name, text, func(r *rig) {
		r.Helper()
		s := r.serve(r.order)
		s.send(firstOne).first(201, ordered(1))
		for _, other := range others {
			s.send(firstOne, other).replayed(201, ordered(1))
		}
		r.ran(1)
	})
}

func unchanged(*http.Request) {}

func text(content string) change {
	return all(header("Content-Type", "text/plain"), body(content))
}

func all(changes ...change) change {
	return func(r *http.Request) {
		for _, c := range changes {
			c(r)
		}
	}
}

var requestRules = []Rule{
	mismatch("a key with another body is refused",
		"The same key with another body is 422 mismatch, and nothing runs.",
		unchanged, body(`{"item":"book","amount":6}`), body(`{"item":"book"}`), body(``)),
	mismatch("a key on another path is refused",
		"The same key on another path or with another query is 422 mismatch: the record belongs to guard, user and key.",
		to("/orders/1/cancel"), to("/orders/2/cancel"), to("/orders"), to("/orders/1/cancel?force=1")),
	mismatch("a key with another method is refused",
		"The same key with another method is 422 mismatch.",
		unchanged, method("PATCH")),
	mismatch("a key with another media type is refused",
		"The same bytes as another media type or with another content coding are 422 mismatch.",
		unchanged, header("Content-Type", "application/merge-patch+json"), header("Content-Encoding", "identity")),
	mismatch("a path counts as it was sent",
		"What is compared is the path on the wire, not what a router makes of it.",
		to("/orders/a%2Fb"), to("/orders/a/b"), to("/orders/a%2fb")),
	mismatch("path and body are kept apart",
		"What is compared cannot be shifted from one part of a request to the next.",
		all(to("/pay"), text("ments")), all(to("/payments"), text(""))),
	same("JSON compares by its meaning",
		"White space and the order of members do not make another request.",
		body(`{"item":"book","amount":5}`), body(`{ "amount": 5,`+"\n"+` "item": "book" }`), body(`{"amount":5,"item":"book"}`)),
	mismatch("numbers compare digit by digit",
		"Two amounts that become equal as floating-point numbers are different requests.",
		body(`{"amount":9007199254740993}`), body(`{"amount":9007199254740992}`)),
	mismatch("what is not JSON compares byte for byte",
		"A body of another media type compares as it is.",
		text(`{"a":1,"b":2}`), text(`{"b":2,"a":1}`), text(`{"a":1, "b":2}`)),
	same("names of a query may change places",
		"The order of names in a query does not make another request; that of the values of one name does.",
		to("/orders?a=1&b=2&b=3"), to("/orders?b=2&b=3&a=1")),
	same("a body without its length is the same request",
		"How a body travels does not count: chunked and with its length it is the same request.",
		unchanged, chunked),
	same("headers that mean nothing here do not count",
		"Parameters of the media type, user agents and tracing headers do not make another request.",
		unchanged, header("Content-Type", "application/json; charset=utf-8"), header("User-Agent", "other"), header("Traceparent", "00-1")),
	rule("a mismatch repeats nothing",
		"A refusal says what to do and never what the first or this client sent.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send(key("canary-key"), body(`"canary-one"`)).first(201, ordered(1))
			got := s.send(key("canary-key"), body(`"canary-two"`))
			got.refused(422, idem.CodeMismatch)
			head, err := json.Marshal(got.header)
			r.ok("the header as JSON", err)
			if bytes.Contains(got.body, []byte("canary")) || bytes.Contains(head, []byte("canary")) {
				r.Fatalf("the refusal repeats what a client sent: %s", got.body)
			}
		}),
}
