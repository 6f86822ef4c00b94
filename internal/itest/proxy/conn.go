package proxy

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// conn is a client's connection and the one to the server behind it. One goroutine passes requests on, another answers.
type conn struct {
	proxy          *Proxy
	number         int
	client, server *net.TCPConn
	wire           wire
	aborted        chan struct{} // the proxy closes, or all connections are cut
	abortOnce      sync.Once
	over           chan struct{} // nothing is passed on any more
	overOnce       sync.Once
	silent         atomic.Bool   // nobody is told that the other has closed
	left           chan struct{} // the client has closed, and the server has been told if it is to be

	met []*Injection // what has happened to requests of this connection

	mu    sync.Mutex
	queue []*exchange // requests that are not answered
}

// exchange is a request that an answer is to come for.
type exchange struct {
	request Request
	met     *Injection // nil, or what happens to the request or to its answer
	keeps   bool       // the answer is kept back for that
	answer  []byte     // so far, where it is kept back
}

func newConn(p *Proxy, number int, client, server *net.TCPConn) *conn {
	return &conn{
		proxy: p, number: number, client: client, server: server, wire: p.protocol.wire(),
		aborted: make(chan struct{}), over: make(chan struct{}), left: make(chan struct{}),
	}
}

// run passes on until both directions are at their end.
func (c *conn) run() {
	var answers sync.WaitGroup
	answers.Go(c.passAnswers)
	c.passRequests()
	answers.Wait()
	_ = c.client.Close()
	_ = c.server.Close()
	for _, i := range c.met {
		i.ended()
	}
}

// abort ends both directions at once.
func (c *conn) abort() {
	c.abortOnce.Do(func() {
		close(c.aborted)
		c.stop()
		reset(c.client)
		reset(c.server)
	})
}

// stop has nothing passed on any more.
func (c *conn) stop() { c.overOnce.Do(func() { close(c.over) }) }

func (c *conn) stopped() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

// passRequests goes on until the client closes, so that he never finds his own words unread, which would be told as a
// reset.
func (c *conn) passRequests() {
	from := bufio.NewReader(c.client)
	for !c.stopped() {
		if _, err := from.Peek(1); err != nil { // what the client says may depend on an answer that it has just got
			break
		}
		raw, r, answered, err := c.wire.read(from)
		if c.stopped() {
			break
		}
		if err != nil {
			_, _ = c.server.Write(raw) // what the client had begun to say
			break
		}
		r.Conn, r.Silent = c.number, !answered
		if c.passRequest(raw, r, answered) != nil {
			break
		}
	}
	_, _ = io.Copy(io.Discard, from)
	if !c.silent.Load() {
		_ = c.server.CloseWrite() // the server answers what it has got, and closes
	}
	close(c.left)
}

func (c *conn) passRequest(raw []byte, r Request, answered bool) error {
	i := c.proxy.decide(r)
	at := Stage(-1)
	if i != nil {
		at = i.fault.At
		c.met = append(c.met, i)
	}
	if at == Asking {
		if i.fault.Do != Stall {
			_, _ = c.server.Write(raw[:min(i.fault.Bytes, len(raw))])
			c.fail(i)
			return errCut
		}
		if !c.hold(i) {
			return errCut
		}
	}
	if answered {
		x := &exchange{request: r, met: i, keeps: at == Answered || at == Asked}
		c.mu.Lock()
		c.queue = append(c.queue, x)
		c.mu.Unlock()
	}
	if _, err := c.server.Write(raw); err != nil {
		return err
	}
	if at == Asked && i.fault.Do != Stall || at == Answered && !answered {
		c.fail(i)
		return errCut
	}
	return nil
}

// passAnswers goes on until the server closes.
func (c *conn) passAnswers() {
	from := bufio.NewReader(c.server)
	for !c.stopped() {
		raw, last, stray, err := c.nextAnswer(from)
		if err != nil {
			c.serverClosed(raw)
			return
		}
		if c.stopped() || c.passAnswer(raw, last, stray) != nil {
			return
		}
	}
}

func (c *conn) nextAnswer(from *bufio.Reader) (raw []byte, last, stray bool, err error) {
	if _, err := from.Peek(1); err != nil { // the request comes before the first byte of its answer
		return nil, false, false, err
	}
	var r *Request
	if x := c.head(); x != nil {
		r = &x.request
	}
	return c.wire.answer(from, r)
}

func (c *conn) head() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil
	}
	return c.queue[0]
}

func (c *conn) passAnswer(raw []byte, last, stray bool) error {
	x := c.head()
	if x == nil || stray {
		_, err := c.client.Write(raw)
		return err
	}
	if last {
		c.mu.Lock()
		c.queue = c.queue[1:]
		c.mu.Unlock()
	}
	if x.keeps {
		return c.keep(x, raw, last)
	}
	_, err := c.client.Write(raw)
	if last && x.met != nil {
		x.met.ended()
	}
	return err
}

// keep keeps an answer back until it is here in full, and then lets its fault happen.
func (c *conn) keep(x *exchange, raw []byte, last bool) error {
	x.answer = append(x.answer, raw...)
	if !last {
		return nil
	}
	if x.met.fault.Do != Stall {
		_, _ = c.client.Write(x.answer[:min(x.met.fault.Bytes, len(x.answer))])
		c.fail(x.met)
		return errCut
	}
	if !c.hold(x.met) {
		return errCut
	}
	_, err := c.client.Write(x.answer)
	x.met.ended()
	return err
}

// serverClosed passes on that the server has closed, after what it said last.
func (c *conn) serverClosed(raw []byte) {
	if c.stopped() {
		return
	}
	_, _ = c.client.Write(raw)
	c.stop()
	_ = c.client.CloseWrite()
}

// hold keeps a message back until it is released. It reports whether the message may pass.
func (c *conn) hold(i *Injection) bool {
	i.happened()
	select {
	case <-i.released:
		return true
	case <-c.aborted:
		return false
	}
}

// fail does what the fault says, on whichever goroutine it happens.
func (c *conn) fail(i *Injection) {
	c.silent.Store(i.fault.Do == BlackHole)
	c.stop()
	i.happened()
	switch i.fault.Do {
	case Cut:
		_ = c.client.CloseWrite()
		_ = c.server.Close()
	case Reset:
		reset(c.client)
		reset(c.server)
	case HalfClose:
		_ = c.client.CloseWrite()
	case BlackHole:
		select {
		case <-i.released:
		case <-c.aborted:
		}
		_ = c.client.CloseWrite()
		_ = c.server.Close()
	}
}
