package histories

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/idem-go/idem/backend"
)

// plan is what the clients of a history ask for. It follows from its seed alone; what comes in between follows from the
// schedule. The last client is the clock.
type plan struct {
	seed    uint64
	round   int // tells it from others of the seed
	keys    int
	tokens  []backend.Token
	scripts [][]step
	calls   int // of all clients but the clock
}

// step is an operation of a client, and what befalls it. What that means is the backend's affair.
type step struct {
	input
	after   int     // the clock's: so many calls of others have begun
	trouble float64 // which one, from 0 to 1; below 0 none
	at      int     // at which message of the call, where it takes several
}

const none = -1

// The leases and retentions of plans, in units, are short enough for the clock to outlast each, and long enough not to be
// outlasted at every step.
const (
	minClients, maxClients = 3, 5
	minCalls, maxCalls     = 9, 17
	maxLease, maxKeep      = 2, 3
)

// generator writes plans.
type generator struct {
	*rand.Rand
	plan    *plan
	owners  []input // what a token stands for: its Begin
	holding int     // 0: no claim holds, 1: some, 2: all
	errors  float64 // the share of calls that meet trouble
	answers int
}

// newPlan writes the plan of a seed. A share of its calls meets trouble.
func newPlan(seed uint64, trouble float64) *plan {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), plan: &plan{seed: seed, keys: 1}, errors: trouble}
	g.holding = g.IntN(3)
	if g.chance(0.25) {
		g.plan.keys = 2
	}
	clients, calls := g.between(minClients, maxClients), g.between(minCalls, maxCalls)
	for i := range clients {
		share := (calls + i) / clients
		var script []step
		for len(script) < share {
			script = append(script, g.attempt()...)
		}
		g.plan.scripts = append(g.plan.scripts, script[:share])
		g.plan.calls += share
	}
	g.plan.scripts = append(g.plan.scripts, g.clock())
	return g.plan
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) between(low, high int) int { return low + g.IntN(high-low+1) }

// attempt is what a client does for one claim, well behaved or not.
func (g *generator) attempt() (script []step) {
	claim := g.owner()
	script = g.send(script, claim, 0.2)
	if g.chance(0.3) {
		script = g.send(script, g.renewal(claim), 0.2)
	}
	if g.chance(0.35) {
		script = g.send(script, g.stray(), 0)
	}
	if !g.chance(0.7) {
		return script
	}
	end := g.end(claim)
	script = g.send(script, end, 0.35)
	if end.kind == hold && g.chance(0.5) {
		script = g.send(script, g.settlement(claim), 0.2)
	}
	return script
}

// settlement is what an operator makes of a claim whose outcome is unknown.
func (g *generator) settlement(claim input) input {
	in := input{kind: free, key: claim.key, token: claim.token}
	if g.chance(0.5) {
		in.kind, in.answer, in.keep = resolve, g.answer(), g.between(1, maxKeep)
	}
	return in
}

// send adds an operation, and with a chance sends it again.
func (g *generator) send(script []step, in input, again float64) []step {
	script = append(script, g.step(in))
	if g.chance(again) {
		if in.kind == complete && g.chance(0.3) { // which no engine does, and no store may mind
			in.answer = g.answer()
		}
		script = append(script, g.step(in))
	}
	return script
}

func (g *generator) step(in input) step {
	s := step{input: in, trouble: none}
	if g.chance(g.errors) {
		s.trouble = g.Float64()
		if g.chance(0.25) {
			s.at = 1
		}
	}
	return s
}

// owner returns the Begin of a new token, or of one that is there already.
func (g *generator) owner() input {
	if len(g.owners) > 0 && g.chance(0.4) {
		claim := g.any()
		if g.chance(0.1) {
			claim.request = 1 - claim.request
		}
		return claim
	}
	claim := input{
		kind: begin, key: g.IntN(g.plan.keys), token: len(g.owners), holds: g.holding == 2 || g.holding == 1 && g.chance(0.5),
		lease: g.between(1, maxLease), keep: g.between(1, maxKeep),
	}
	if g.chance(0.15) {
		claim.request = 1
	}
	g.owners = append(g.owners, claim)
	var token backend.Token
	binary.LittleEndian.PutUint64(token[:], g.Uint64())
	binary.LittleEndian.PutUint64(token[8:], g.Uint64())
	g.plan.tokens = append(g.plan.tokens, token)
	return claim
}

// any returns the Begin of some token.
func (g *generator) any() input { return g.owners[g.IntN(len(g.owners))] }

func (g *generator) answer() int {
	g.answers++
	return g.answers
}

func (g *generator) renewal(claim input) input {
	return input{
		kind: renew, key: claim.key, token: claim.token, lease: g.between(1, maxLease), keep: g.between(1, maxKeep),
		note: g.IntN(2) * (1 + claim.token),
	}
}

func (g *generator) completion(claim input) input {
	return input{
		kind: complete, key: claim.key, token: claim.token, request: claim.request, answer: g.answer(), keep: g.between(1, maxKeep),
	}
}

func (g *generator) end(claim input) input {
	in := input{key: claim.key, token: claim.token}
	switch p := g.Float64(); {
	case p < 0.6:
		return g.completion(claim)
	case p < 0.8:
		in.kind = release
	default:
		in.kind, in.note = hold, g.IntN(2)*(10+claim.token)
	}
	return in
}

// stray is what somebody else asks, or an owner who is long gone.
func (g *generator) stray() input {
	claim := g.any()
	in := input{key: claim.key, token: claim.token}
	switch p := g.Float64(); {
	case p < 0.2:
		in.kind = lookup
	case p < 0.4 && g.plan.keys == 1:
		return input{kind: prune}
	case p < 0.6:
		return g.settlement(claim)
	case p < 0.7:
		in.kind = forget
	case p < 0.8:
		return g.renewal(claim)
	default:
		return g.end(claim)
	}
	return in
}

// clock is time that passes now and then, for all keys.
func (g *generator) clock() (script []step) {
	for at := g.IntN(6); at < g.plan.calls; at += g.between(3, 9) {
		units := g.between(1, maxLease+1)
		if g.chance(0.15) {
			units = maxLease + maxKeep + 1
		}
		script = append(script, step{input: input{kind: advance, lease: units}, after: at, trouble: none})
	}
	return script
}

func (p *plan) id(key int) backend.ID {
	return backend.NewID("histories", p.user(), fmt.Sprint("key ", key))
}

// user has its own records for each history, also of one that is played again.
func (p *plan) user() string { return fmt.Sprintf("history %d of seed %d", p.round, p.seed) }

func (p *plan) String() string {
	var b strings.Builder
	for client, script := range p.scripts {
		for _, s := range script {
			fmt.Fprintf(&b, "client %d: %v", client, s.input)
			if s.trouble >= 0 {
				fmt.Fprintf(&b, ", trouble %.2f at %d", s.trouble, s.at)
			}
			if s.after > 0 {
				fmt.Fprintf(&b, ", after %d calls", s.after)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
