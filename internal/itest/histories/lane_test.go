package histories

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// place is a storage of a lane's own.
type place struct {
	server   string // host and port
	protocol proxy.Protocol

	// reach opens a store on the storage that goes to its server through an address, with one connection at most.
	reach func(t *testing.T, through string) store

	// pass has time pass for records, by moving their times back. remove removes them, whatever they are. Both take a
	// way of their own, which no fault meets.
	pass   func(ctx context.Context, ids []backend.ID, d time.Duration) error
	remove func(ctx context.Context, ids []backend.ID) error
}

// lane plays one history after another on a server. Its clients keep their connections.
type lane struct {
	t       *testing.T
	place   place
	clients []*client
	count   *count
}

// client is one of a lane, with a pool and a way to the server of his own.
type client struct {
	proxy *proxy.Proxy
	store store
	cut   bool // his last Prune ended early
	hurt  bool // his last call met trouble
}

func openLane(t *testing.T, p place, n *count) *lane {
	t.Helper()
	l := &lane{t: t, place: p, count: n}
	for range maxClients {
		way := proxy.Start(t, p.server, p.protocol)
		l.clients = append(l.clients, &client{proxy: way, store: p.reach(t, way.Addr())})
	}
	return l
}

// play plays a plan.
func (l *lane) play(p *plan) *history {
	h := newHistory(p)
	var late sync.WaitGroup
	n := &network{stage: &stage{history: h, pause: func() {}, await: h.await, spawn: late.Go}, lane: l}
	n.stage.send = n.send
	n.pass = func(n int) { require.NoError(l.t, l.place.pass(l.t.Context(), p.ids(), units(n))) }
	var playing sync.WaitGroup
	h.playing = len(p.scripts)
	for i := range p.scripts {
		playing.Go(func() {
			defer h.leaves()
			n.play(l.t.Context(), i)
		})
	}
	playing.Wait()
	late.Wait()
	require.NoError(l.t, l.place.remove(l.t.Context(), p.ids()))
	l.count.faults += n.faults
	return h
}

// network is the way of a history's calls to a server.
type network struct {
	*stage
	lane *lane

	mu     sync.Mutex
	faults int // that have happened
}

// trouble is what befalls a call on its way.
type trouble struct {
	proxy.Fault
	refused  bool // the server refuses connections, and has cut those that there were
	silent   bool // the client is told nothing, and gives up
	released bool // what is held arrives, or is answered, while the client still waits
}

// troubles are those that calls meet.
var troubles = []trouble{
	{refused: true},
	{Fault: proxy.Fault{At: proxy.Asking, Do: proxy.Cut}},
	{Fault: proxy.Fault{At: proxy.Asking, Do: proxy.Cut, Bytes: 9}},
	{Fault: proxy.Fault{At: proxy.Asked, Do: proxy.Cut}},
	{Fault: proxy.Fault{At: proxy.Asked, Do: proxy.Reset}},
	{Fault: proxy.Fault{At: proxy.Answered, Do: proxy.Cut}},
	{Fault: proxy.Fault{At: proxy.Answered, Do: proxy.Cut, Bytes: 6}},
	{Fault: proxy.Fault{At: proxy.Answered, Do: proxy.Reset}},
	{Fault: proxy.Fault{At: proxy.Asking, Do: proxy.HalfClose}},
	{Fault: proxy.Fault{At: proxy.Answered, Do: proxy.HalfClose}},
	{Fault: proxy.Fault{At: proxy.Asking, Do: proxy.BlackHole}, silent: true},
	{Fault: proxy.Fault{At: proxy.Answered, Do: proxy.BlackHole}, silent: true},
	{Fault: proxy.Fault{At: proxy.Asking, Do: proxy.Stall}, silent: true},
	{Fault: proxy.Fault{At: proxy.Asking, Do: proxy.Stall}, released: true},
	{Fault: proxy.Fault{At: proxy.Answered, Do: proxy.Stall}, released: true},
}

// short is the patience of a client whose call meets silence.
const short = 30 * time.Millisecond

// send takes a call to the server, and lets its trouble happen.
func (n *network) send(ctx context.Context, i int, s step) {
	c := n.lane.clients[i]
	s.resumes = s.kind == prune && c.cut
	asks := caller{plan: n.plan, store: c.store, cut: c.cut}
	asked := n.ask(i, s.input)
	if s.trouble < 0 {
		asked.told(n.unhurt(ctx, c, &asks, s.input))
		return
	}
	c.hurt = true
	meets := troubles[int(s.trouble*float64(len(troubles)))]
	if meets.refused {
		asked.told(n.refused(ctx, c, &asks, s.input))
	} else {
		meets.Skip = s.at
		asked.told(n.hurt(ctx, c, &asks, s.input, meets))
	}
	c.cut = asks.cut
}

// unhurt calls where nothing happens. It fails where the call does, but for what a fault before it has left.
func (n *network) unhurt(ctx context.Context, c *client, asks *caller, in input) output {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out := asks.call(ctx, in)
	if out.unknown && !c.hurt {
		n.lane.t.Errorf("%v failed, though the network was well: %v\n%v", in, asks.err, n.history)
	}
	c.cut, c.hurt = asks.cut, false
	return out
}

func (n *network) refused(ctx context.Context, c *client, asks *caller, in input) output {
	c.proxy.Refuse()
	c.proxy.CutAll()
	defer c.proxy.Admit()
	n.happened()
	return asks.call(ctx, in)
}

func (n *network) hurt(ctx context.Context, c *client, asks *caller, in input, meets trouble) output {
	patience := patience
	if meets.silent {
		patience = short
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	fault := c.proxy.Inject(meets.Fault)
	done := make(chan struct{})
	var beside sync.WaitGroup
	if meets.released {
		beside.Go(func() { n.delay(fault, done) })
	}
	out := asks.call(ctx, in)
	close(done)
	beside.Wait()
	fault.Remove()
	if len(fault.Requests()) == 0 {
		return out
	}
	n.happened()
	if meets.silent {
		n.later(fault)
	}
	return out
}

func (n *network) happened() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults++
}

// aWhile is how many calls of others come before what is held is released.
const aWhile = 3

// delay releases what is held when others have had their turn.
func (n *network) delay(fault *proxy.Injection, done <-chan struct{}) {
	select {
	case <-fault.Hit():
		n.lets(aWhile)
		fault.Release()
	case <-done:
	}
}

// later releases what is held when its caller has gone, and others have had their turn, and waits until the server has
// dealt with it.
func (n *network) later(fault *proxy.Injection) {
	n.spawn(func() {
		n.lets(aWhile)
		fault.Release()
		<-fault.Over()
	})
}
