// Package proxy stands between a client and a database server, in the test's own process, and lets the network fail at a
// chosen moment: this request is not passed on, that one is carried out and its answer lost, another is held until the
// client has long given up. It reads enough of the protocols of PostgreSQL, MySQL and Redis to know where a request
// begins, what it says, and where its answer ends. Nothing in it waits for time to pass.
package proxy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on to one server. Its methods may be called concurrently.
type Proxy struct {
	t        testing.TB
	server   string
	protocol Protocol
	addr     string
	closing  chan struct{}
	running  sync.WaitGroup

	mu         sync.Mutex
	listener   net.Listener // nil while connections are refused
	conns      map[*conn]struct{}
	injections []*Injection
	opened     int // connections so far
}

// Start starts a proxy in front of the server at the address, a host and a port. When the test ends it cuts what is open,
// and waits until all of its goroutines are gone.
func Start(t testing.TB, server string, protocol Protocol) *Proxy {
	t.Helper()
	p := &Proxy{t: t, server: server, protocol: protocol, closing: make(chan struct{}), conns: map[*conn]struct{}{}}
	l, err := listenLow()
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	p.addr = l.Addr().String()
	p.serve(l)
	t.Cleanup(p.close)
	return p
}

// listenLow listens below the ports from which the system takes the local ones of connections, so that the port stays
// ours while connections are refused.
func listenLow() (l net.Listener, err error) {
	for range 100 {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		port := 30_000 + l.Addr().(*net.TCPAddr).Port%2_700
		_ = l.Close() // it was only to draw a number
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// Addr is where clients find the proxy: a host and a port.
func (p *Proxy) Addr() string { return p.addr }

func (p *Proxy) serve(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener = l
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // refusing, or closed
			}
			p.pass(client.(*net.TCPConn))
		}
	})
}

// pass begins to pass a connection on.
func (p *Proxy) pass(client *net.TCPConn) {
	server, err := net.DialTimeout("tcp", p.server, 10*time.Second)
	if err != nil {
		reset(client) // the server is not there
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		reset(client)
		reset(server.(*net.TCPConn))
		return
	default:
	}
	p.opened++
	c := newConn(p, p.opened, client, server.(*net.TCPConn))
	p.conns[c] = struct{}{}
	p.running.Go(func() {
		c.run()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	})
}

// Refuse refuses new connections, until Admit. What is open stays open.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Admit ends Refuse.
func (p *Proxy) Admit() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatalf("proxy: the port is gone: %v", err)
	}
	p.serve(l)
}

// CutAll cuts every connection that is open.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.abort()
	}
}

// Opened is how many connections there have been, which is the number of the last one.
func (p *Proxy) Opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// Inject plans a fault. Where several faults match a request, the one that was injected first happens.
func (p *Proxy) Inject(f Fault) *Injection {
	i := &Injection{proxy: p, fault: f, hit: make(chan struct{}), released: make(chan struct{}), over: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.injections = append(p.injections, i)
	return i
}

// decide says what happens to a request: nil, nothing.
func (p *Proxy) decide(r Request) *Injection {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found *Injection
	for _, i := range p.injections {
		if watches := i.fault.Do == Watch; (watches || found == nil) && i.takes(r) && !watches {
			found = i
		}
	}
	return found
}

func (p *Proxy) close() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
	}
	close(p.closing)
	for c := range p.conns {
		c.abort()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// reset closes a connection so that the other end is told it was reset.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

var errCut = errors.New("the connection was cut")
