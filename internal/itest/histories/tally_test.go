package histories

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proof"
)

// tally counts what was checked, for the last lines.
var tally counts

type counts struct {
	mu       sync.Mutex
	backends map[string]*count
	flaws    int // that were found out
}

// count is of one backend.
type count struct {
	histories, ops, unknown int
	faults                  int            // of the network
	told                    map[string]int // by what was asked and told
}

func newCount() *count { return &count{told: map[string]int{}} }

// add counts a history.
func (c *count) add(h *history) {
	c.histories++
	for _, op := range h.ops {
		in, out := op.Input.(input), op.Output.(output)
		c.ops++
		if out.unknown {
			c.unknown++
		}
		c.told[class(in, out)]++
	}
}

// class is what the contract tells apart.
func class(in input, out output) string {
	name := in.kind.String()
	switch {
	case out.unknown:
		return name + ": no answer"
	case in.kind == lookup:
		return name + ": " + out.shown.state.String()
	case in.kind == prune, in.kind == forget:
		return fmt.Sprint(name, ": ", out.count)
	case in.kind == advance:
		return name
	case in.kind == begin && out.verdict == backend.Claimed && out.attempt > 1:
		return name + ": Claimed, a takeover"
	}
	return name + ": " + out.verdict.String()
}

func (c *count) plus(other *count) {
	c.histories += other.histories
	c.ops += other.ops
	c.unknown += other.unknown
	c.faults += other.faults
	for what, n := range other.told {
		c.told[what] += n
	}
}

// of adds what was counted for a backend.
func (c *counts) of(name string, n *count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.backends == nil {
		c.backends = map[string]*count{}
	}
	if c.backends[name] == nil {
		c.backends[name] = newCount()
	}
	c.backends[name].plus(n)
}

// flaw counts a broken store that was found out.
func (c *counts) flaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flaws++
}

// prove hands what was counted to the proof, at the end.
func (c *counts) prove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.backends)) {
		n := c.backends[name]
		proof.Of(name + ": histories checked for linearizability").Add(int64(n.histories))
		proof.Of(name + ": operations of those").Add(int64(n.ops))
		proof.Of(name + ": operations of those with an unknown outcome").Add(int64(n.unknown))
		proof.Of(name + ": faults of the network in those").Add(int64(n.faults))
	}
	proof.Of("broken stores found out by histories").Add(int64(c.flaws))
}

// missing are the classes that no history came upon.
func (c *count) missing() []string {
	return slices.DeleteFunc(slices.Clone(classes), func(class string) bool { return c.told[class] > 0 })
}

// classes are what histories must come upon to be worth anything.
var classes = []string{
	"Begin: Claimed", "Begin: Claimed, a takeover", "Begin: Replay", "Begin: Mismatch", "Begin: InFlight", "Begin: Held", "Begin: no answer",
	"Renew: Kept", "Renew: Lost", "Renew: no answer",
	"Complete: Kept", "Complete: Replay", "Complete: Lost", "Complete: no answer",
	"Release: Kept", "Release: Lost", "Release: no answer",
	"Hold: Kept", "Hold: Lost", "Hold: no answer",
	"Lookup: Absent", "Lookup: Pending", "Lookup: Done", "Lookup: Unknown",
	"Prune: 0", "Prune: 1", "Prune: no answer",
	"Resolve: Kept", "Resolve: Lost", "Free: Kept", "Free: Lost", "Forget: 0", "Forget: 1", "time passes",
}
