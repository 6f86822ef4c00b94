package adaptertest

import (
	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

func (r *rig) inject(f memtest.Fault) {
	r.Helper()
	r.harness.Inject(r.TB, f)
}

var faultRules = []Rule{
	failing("where the store is down nothing runs",
		"A store that does not answer is 503 unavailable with Retry-After: nothing fails open.",
		func(r *rig) {
			s := r.serve(r.order)
			r.inject(memtest.Fault{Op: memtest.OpBegin, Count: 3}) // the claim is tried three times
			got := s.send()
			got.refused(503, idem.CodeUnavailable)
			got.value("Retry-After", "1")
			r.ran(0)
			s.send().first(201, ordered(1))
		}),
	failing("a lost acknowledgement runs nothing twice",
		"A claim and an answer whose acknowledgements are lost count: the handler runs once and its answer replays.",
		func(r *rig) {
			s := r.serve(r.order)
			r.inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.LoseAck})
			r.inject(memtest.Fault{Op: memtest.OpComplete, Mode: memtest.LoseAck})
			s.send().first(201, ordered(1))
			s.send().replayed(201, ordered(1))
			r.ran(1)
		}),
	failing("an answer that could not be stored is delivered",
		"A handler that ran has its answer delivered even though it could not be stored, and its claim is not given up.",
		func(r *rig) {
			s := r.serve(r.order)
			r.inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
			s.send().first(201, ordered(1))
			s.send().inFlight()
			r.ran(1)
		}),
	failing("an answer that could not be stored may be refused",
		"With OnNotStored(Refuse) the client gets 500 not_stored instead, without Retry-After and without anything of the answer.",
		func(r *rig) {
			s := r.serve(answering(201, "canary", "Set-Cookie", "a=1"), httpadapter.OnNotStored(httpadapter.Refuse))
			r.inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
			got := s.send()
			got.refused(500, idem.CodeNotStored)
			got.lacks("Retry-After", "Set-Cookie")
		}),
}
