package histories

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// history is what was asked and told, and when. Its methods may be called concurrently.
type history struct {
	plan *plan

	mu  sync.Mutex
	now int64 // rises with every call and every answer
	ops []porcupine.Operation

	begun   int       // calls so far, but for the clock's
	moved   sync.Cond // one of these has changed
	playing int       // clients who have not come to their end, where they play side by side
	waiting int       // of these wait for others
}

// forever is when an operation returns of whose outcome nothing is known: one that never happens comes last.
const forever = math.MaxInt64

func newHistory(p *plan) *history {
	h := &history{plan: p}
	h.moved.L = &h.mu
	return h
}

// entry is an operation that was asked for, by its place.
type entry struct {
	h  *history
	at int
}

// ask notes that a client asks for something now. Nothing is known of what becomes of it before it is told.
func (h *history) ask(client int, in input) entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: h.now, Output: output{unknown: true}, Return: forever})
	if in.kind != advance {
		h.begun++
		h.moved.Broadcast()
	}
	return entry{h: h, at: len(h.ops) - 1}
}

// told notes that the client has its answer now.
func (e entry) told(out output) {
	if out.unknown {
		return
	}
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	e.h.now++
	op := &e.h.ops[e.at]
	op.Output, op.Return = out, e.h.now
}

// await waits until so many calls have begun.
func (h *history) await(calls int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waits(func() bool { return h.begun >= calls })
}

// lets waits until others have begun so many calls, or can do no more before the one that waits.
func (h *history) lets(calls int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls += h.begun
	h.waits(func() bool { return h.begun >= calls || h.waiting >= h.playing })
}

// waits waits for others. The history is locked.
func (h *history) waits(enough func() bool) {
	h.waiting++
	h.moved.Broadcast()
	for !enough() {
		h.moved.Wait()
	}
	h.waiting--
}

// leaves says that a client has come to his end.
func (h *history) leaves() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.playing--
	h.moved.Broadcast()
}

// hasBegun reports whether so many calls have begun.
func (h *history) hasBegun(calls int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun >= calls
}

// patience is more than any history takes to be checked.
const patience = time.Minute

// check reports what is wrong with the history, "" for nothing.
func (h *history) check() string {
	told := slices.DeleteFunc(slices.Clone(h.ops), func(op porcupine.Operation) bool {
		return op.Input.(input).kind == lookup && op.Output.(output).unknown // which nobody can have noticed
	})
	switch porcupine.CheckOperationsTimeout(model, told, patience) {
	case porcupine.Ok:
		return ""
	case porcupine.Unknown:
		return "whether the history can be put into one order was not found out in time\n" + h.String()
	}
	_, info := porcupine.CheckOperationsVerbose(model, told, patience)
	return "the history cannot be put into one order\n" + h.String() + longest(info)
}

// String is a line for each operation, in the order of the calls.
func (h *history) String() string {
	h.mu.Lock() // others may still be at work when one fails
	defer h.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d; when it was asked and told, by which client, and what\n", h.plan.seed)
	for _, op := range h.ops {
		told := fmt.Sprint(op.Return)
		if op.Return == forever {
			told = "..."
		}
		fmt.Fprintf(&b, "%4d to %3s  client %d  %s\n", op.Call, told, op.ClientId, describe(op.Input.(input), op.Output.(output)))
	}
	return b.String()
}

// longest shows, of each key that has no order, the longest order of a part of its operations.
func longest(info porcupine.LinearizationInfo) string {
	var b strings.Builder
	for _, partials := range info.PartialLinearizationsOperations() {
		if len(partials) == 0 {
			continue
		}
		part := slices.MaxFunc(partials, func(a, b []porcupine.Operation) int { return cmp.Compare(len(a), len(b)) })
		b.WriteString("the longest order that fits, and the record after each:\n")
		r := record{}
		for _, op := range part {
			in, out := op.Input.(input), op.Output.(output)
			_, next := model.Step(r, in, out)
			r = next.(record)
			fmt.Fprintf(&b, "%4d  %s  =>  %+v\n", op.Call, describe(in, out), r)
		}
	}
	return b.String()
}
