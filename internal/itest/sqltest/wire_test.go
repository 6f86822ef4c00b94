package sqltest

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"time"
)

// wire is what happens between a pool and its server.
type wire struct {
	trips atomic.Int64            // requests that were followed by an answer
	cut   atomic.Pointer[lostAck] // what happens to the next COMMIT
}

type lostAck int

const (
	cutBefore lostAck = iota // it is never sent
	cutAfter                 // it is sent and carried out, and the answer is lost
)

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wiredConn{Conn: conn, on: w}, nil
}

// Dial is pq.Dialer's.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	return w.dial(context.Background(), network, address)
}

// DialTimeout is pq.Dialer's.
func (w *wire) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return w.dial(ctx, network, address)
}

// wiredConn counts how often the direction turns: what is written at once is one request.
type wiredConn struct {
	net.Conn
	on      *wire
	written atomic.Bool
	lose    atomic.Bool
}

func (c *wiredConn) Write(b []byte) (int, error) {
	c.written.Store(true)
	if bytes.HasSuffix(bytes.ToUpper(bytes.TrimRight(b, "\x00")), []byte("COMMIT")) {
		if how := c.on.cut.Swap(nil); how != nil {
			if *how == cutBefore {
				_ = c.Conn.Close()
				return len(b), nil
			}
			c.lose.Store(true)
		}
	}
	return c.Conn.Write(b)
}

func (c *wiredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.written.Swap(false) {
		c.on.trips.Add(1)
	}
	if n > 0 && c.lose.Load() {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
