package histories

import (
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/idem-go/idem/backend"
)

// record is one record as the contract of backend.Store describes it, one operation after another. It is written from
// that text, without a look at any store. The zero value is Absent.
type record struct {
	state   backend.State
	token   int
	request int
	attempt int
	holds   bool
	note    int
	answer  int
	lease   int // Pending: units that it lasts; negative once it is over
	expiry  int // Done, and Pending that does not hold: likewise
}

// over is what is left of something that ran out.
const over = -1

func (r record) lapsed() bool { return r.lease < 0 }

func (r record) under(state backend.State, token int) bool {
	return r.state == state && r.token == token
}

// after returns the record after an operation, and what its caller is told.
func (r record) after(in input) (record, output) {
	switch in.kind {
	case begin:
		return r.begin(in)
	case renew:
		return r.renew(in)
	case complete:
		return r.complete(in)
	case release:
		return r.freed(in, backend.Pending)
	case hold:
		return r.hold(in)
	case lookup:
		return r, output{shown: r.shown()}
	case prune:
		return r.prune()
	case resolve:
		return r.resolve(in)
	case free:
		return r.freed(in, backend.Unknown)
	case forget:
		return record{}, output{count: min(1, int(r.state))}
	case advance:
		return r.advance(in.lease), output{}
	}
	panic("histories: no such operation")
}

func (r record) begin(in input) (record, output) {
	switch {
	case r.state == backend.Absent: // T1
		r = record{request: in.request, holds: in.holds}
		return r.claim(in)
	case r.request != in.request: // T10
		return r, output{verdict: backend.Mismatch}
	case r.state == backend.Done: // T9
		return r, r.replay()
	case r.state == backend.Unknown:
		return r, output{verdict: backend.Held}
	case r.token == in.token: // T1'
		return r, output{verdict: backend.Claimed, attempt: r.attempt}
	case !r.lapsed(): // T11
		return r, output{verdict: backend.InFlight}
	case r.holds || in.holds: // T3
		return r.giveUp(0), output{verdict: backend.Held}
	default: // T2
		return r.claim(in)
	}
}

func (r record) claim(in input) (record, output) {
	r.state, r.token = backend.Pending, in.token
	r.attempt++
	r.lasts(in)
	return r, output{verdict: backend.Claimed, attempt: r.attempt}
}

// lasts starts a lease.
func (r *record) lasts(in input) {
	r.lease, r.expiry = in.lease, in.lease+in.keep
	if r.holds {
		r.expiry = 0
	}
}

func (r record) replay() output {
	return output{verdict: backend.Replay, attempt: r.attempt, answer: r.answer}
}

func (r record) giveUp(note int) record {
	r.state, r.lease, r.expiry = backend.Unknown, 0, 0
	r.remark(note)
	return r
}

func (r *record) remark(note int) {
	if note != 0 {
		r.note = note
	}
}

// renew is T4.
func (r record) renew(in input) (record, output) {
	if !r.under(backend.Pending, in.token) {
		return r, output{verdict: backend.Lost}
	}
	r.lasts(in)
	r.remark(in.note)
	return r, output{verdict: backend.Kept}
}

func (r record) complete(in input) (record, output) {
	switch {
	case r.under(backend.Pending, in.token): // T5
		return r.finish(in), output{verdict: backend.Kept, answer: in.answer}
	case r.under(backend.Done, in.token): // T6
		return r, output{verdict: backend.Kept, answer: r.answer}
	case r.state == backend.Done && r.request == in.request: // T7
		return r, r.replay()
	default: // T7
		return r, output{verdict: backend.Lost}
	}
}

func (r record) finish(in input) record {
	r.state, r.answer, r.lease, r.expiry = backend.Done, in.answer, 0, in.keep
	return r
}

// freed is T8 of a Pending record, and T13 of an Unknown one.
func (r record) freed(in input, from backend.State) (record, output) {
	if !r.under(from, in.token) {
		return r, output{verdict: backend.Lost}
	}
	return record{}, output{verdict: backend.Kept}
}

// hold is T8'.
func (r record) hold(in input) (record, output) {
	switch {
	case r.under(backend.Pending, in.token):
		return r.giveUp(in.note), output{verdict: backend.Kept}
	case r.under(backend.Unknown, in.token):
		return r, output{verdict: backend.Kept}
	default:
		return r, output{verdict: backend.Lost}
	}
}

// prune is T12. That what expired is removed changes nothing: it is Absent already.
func (r record) prune() (record, output) {
	if r.state == backend.Pending && r.holds && r.lapsed() {
		return r.giveUp(0), output{count: 1}
	}
	return r, output{}
}

// resolve is T13.
func (r record) resolve(in input) (record, output) {
	if !r.under(backend.Unknown, in.token) {
		return r, output{verdict: backend.Lost}
	}
	return r.finish(in), output{verdict: backend.Kept}
}

func (r record) advance(units int) record {
	expires := r.state == backend.Done || r.state == backend.Pending && !r.holds
	switch {
	case expires && r.expiry < units:
		return record{}
	case expires:
		r.expiry -= units
	}
	if r.state == backend.Pending {
		r.lease = max(over, r.lease-units)
	}
	return r
}

func (r record) shown() shown {
	s := shown{state: r.state, token: r.token, request: r.request, attempt: r.attempt, note: r.note}
	if r.state == backend.Pending {
		s.holds, s.lapsed = r.holds, r.lapsed()
	}
	return s
}

// fits reports whether a caller may be told out where the contract says want.
func (out output) fits(in input, want output) bool {
	if in.kind == complete && out.answer == 0 && want.verdict == backend.Kept {
		out.answer = in.answer // a Kept without an answer says that the caller's own is stored
	}
	return out == want
}

// model is one record for porcupine.
var model = porcupine.Model{
	Partition: byKey,
	Init:      func() any { return record{} },
	Step: func(state, asked, told any) (bool, any) {
		r, in, out := state.(record), asked.(input), told.(output)
		next, want := r.after(in)
		switch {
		case out.unknown || out.fits(in, want):
			return true, next
		case in.resumes && out == output{}:
			return true, r
		default:
			return false, r
		}
	},
}

// byKey makes a history of each key. Pruning concerns all keys, and is asked for where there is one.
func byKey(all []porcupine.Operation) [][]porcupine.Operation {
	var parts [][]porcupine.Operation
	for _, op := range all {
		key := op.Input.(input).key
		for len(parts) <= key {
			parts = append(parts, nil)
		}
		parts[key] = append(parts[key], op)
	}
	return slices.DeleteFunc(parts, func(part []porcupine.Operation) bool { return len(part) == 0 })
}
