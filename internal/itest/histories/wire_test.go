package histories

import "context"

// wire is the way to a store in the clients' own process, which is as bad as a network.
type wire struct {
	*stage
	callers []*caller // a client's each
	failed  func(input, error)
}

// The troubles of a wire.
const (
	losesCall   = iota // the store does not get the call
	losesAnswer        // the call is carried out, and nobody is told
	isLate             // it is carried out when its caller has long given up
	sendsTwice         // it is carried out again, as when a driver sends it again
	wireTroubles
)

// send takes a call to the store, and its answer back.
func (w *wire) send(ctx context.Context, client int, s step) {
	c := w.callers[client]
	s.resumes = s.kind == prune && c.cut
	asked := w.ask(client, s.input)
	switch w.trouble(s) {
	case losesCall:
	case losesAnswer:
		w.pause()
		w.call(ctx, c, s.input)
		w.pause()
	case isLate:
		w.later(ctx, c, s.input)
	case sendsTwice:
		w.ask(client, s.input) // of which nobody hears again
		w.later(ctx, c, s.input)
		fallthrough
	default:
		w.pause()
		out := w.call(ctx, c, s.input)
		w.pause()
		asked.told(out)
	}
}

// trouble is that of a step. A walk through all records is not made twice at once: a store that is told to, makes one
// after the other.
func (w *wire) trouble(s step) int {
	switch {
	case s.trouble < 0:
		return none
	case s.kind == prune:
		return losesCall + int(s.trouble*2)
	default:
		return int(s.trouble * wireTroubles)
	}
}

func (w *wire) later(ctx context.Context, c *caller, in input) {
	beside := &caller{plan: c.plan, store: c.store}
	w.spawn(func() {
		w.pause()
		w.call(ctx, beside, in)
	})
}

// call calls the store itself, which has no reason to fail.
func (w *wire) call(ctx context.Context, c *caller, in input) output {
	out := c.call(ctx, in)
	if c.err != nil {
		w.failed(in, c.err)
	}
	return out
}
