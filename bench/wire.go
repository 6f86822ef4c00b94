package main

import (
	"context"
	"net"
	"sync/atomic"
)

// wire counts what a pool's connections send and are answered: a round trip is a request, in however many writes, and
// the answer that follows it.
type wire struct{ trips atomic.Int64 }

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func (w *wire) around(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &wiredConn{Conn: conn, on: w}, nil
	}
}

type wiredConn struct {
	net.Conn
	on    *wire
	asked atomic.Bool
}

func (c *wiredConn) Write(b []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(b)
}

func (c *wiredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.asked.Swap(false) {
		c.on.trips.Add(1)
	}
	return n, err
}
