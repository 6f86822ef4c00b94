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

	mu   sync.Mutex
	now  int64 // rises with every call and every answer
	ops  []porcupine.Operation
	more sync.Cond // the clock waits for calls
	open int       // calls of others so far
}

// forever is when an operation returns of whose outcome nothing is known: one that never happens comes last.
const forever = math.MaxInt64

func newHistory(p *plan) *history {
	h := &history{plan: p}
	h.more.L = &h.mu
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
		h.open++
		h.more.Broadcast()
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

// begun waits until so many calls of others have begun.
func (h *history) begun(calls int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.open < calls {
		h.more.Wait()
	}
}

// hasBegun reports whether so many calls of others have begun.
func (h *history) hasBegun(calls int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open >= calls
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
