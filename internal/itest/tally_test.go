package itest

import (
	"sync"

	"github.com/idem-go/idem/internal/itest/proof"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// tally counts what was done to processes, servers, clocks and the network.
var tally = counts{
	rounds: proof.Of("rounds of many callers with one key"),
	faults: proof.Of("faults of the network"),
	lost:   proof.Of("answers of a server that a fault of the network swallowed"),
}

type counts struct {
	rounds, faults, lost *proof.Count

	mu       sync.Mutex
	backends map[string]*toll
}

// toll is what was done to one backend.
type toll struct {
	on string

	kills    lazyCount // of processes, at a named point
	ambushes lazyCount // of processes, at a random time
	cut      lazyCount // calls that an ambush left without an answer
	stops    lazyCount // of processes, for longer than a lease
	outages  lazyCount // kills of the server under load
	jumps    lazyCount // of the clock under load
	checked  lazyCount // answers that callers were told under load, and that were held against what is stored

	mu   sync.Mutex
	acks map[operation]*proof.Count // that came to nobody although the operation had taken effect
}

func newToll(on string) *toll {
	of := func(what string) lazyCount { return lazyCount{what: on + ": " + what} }
	return &toll{
		on:       on,
		kills:    of("processes killed at a named point"),
		ambushes: of("processes killed at a random time"),
		cut:      of("calls that those left without an answer"),
		stops:    of("processes stopped past a lease"),
		outages:  of("kills of the server under load"),
		jumps:    of("jumps of its clock under load"),
		checked:  of("answers told under load and found stored"),
		acks:     map[operation]*proof.Count{},
	}
}

// lazyCount is a proof.Count that is there once something was counted: not everything is done to every backend.
type lazyCount struct {
	what  string
	once  sync.Once
	count *proof.Count
}

func (l *lazyCount) Add(n int64) {
	l.once.Do(func() { l.count = proof.Of(l.what) })
	l.count.Add(n)
}

// lost counts an acknowledgement that got lost.
func (t *toll) lost(op operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.acks[op] == nil {
		t.acks[op] = proof.Of(t.on + ": acknowledgements of " + string(op) + " lost")
	}
	t.acks[op].Add(1)
}

// on is the toll of a backend.
func (c *counts) on(name string) *toll {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.backends == nil {
		c.backends = map[string]*toll{}
	}
	t, ok := c.backends[name]
	if !ok {
		t = newToll(name)
		c.backends[name] = t
	}
	return t
}

// network counts a fault of the network.
func (c *counts) network(f proxy.Fault) {
	c.faults.Add(1)
	if f.At == proxy.Answered {
		c.lost.Add(1)
	}
}
