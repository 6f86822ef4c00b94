package pq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lib/pq"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// NewListener returns a listener for sqlbackend.WithListener with a connection of its own to the database that dsn names,
// for an application that opens the pool itself: it closes the listener, or opens the pool on its Connector. dsn must lead
// to the database of the records directly, not through a pooler in transaction mode. Nothing is connected before somebody
// waits. Errors never repeat dsn.
func NewListener(dsn string) (*sqlbackend.Listener, error) {
	if _, err := connectorTo(dsn); err != nil {
		return nil, fmt.Errorf("pq: %w", err)
	}
	return listenerOn(dsn), nil
}

// listenerOn uses pq.Listener for one connection: whatever happens to that ends it.
func listenerOn(dsn string) *sqlbackend.Listener {
	return sqlbackend.NewListener(func(ctx context.Context, channel string, listening func() error, heard func(string)) error {
		ctx, fail := context.WithCancelCause(ctx)
		defer fail(nil)
		conn := pq.NewDialListener(dialer{ctx}, dsn, time.Millisecond, time.Millisecond, func(e pq.ListenerEventType, err error) {
			if e == pq.ListenerEventConnectionAttemptFailed || e == pq.ListenerEventDisconnected {
				fail(errors.Join(errors.New("the connection was lost"), err))
			}
		})
		// Close from another goroutine, as Listen waits for a connection whatever happens.
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		err := conn.Listen(channel)
		if err == nil {
			err = listening()
		}
		for err == nil {
			n, open := <-conn.Notify
			if !open {
				break
			}
			if n != nil {
				heard(n.Extra)
			}
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		fail(nil)
		for range conn.Notify { // until its goroutine is about to end
		}
		return err
	})
}

// dialer makes connections that end with a context.
type dialer struct{ ctx context.Context }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(d.ctx, network, address)
}

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// DialContext obeys both contexts until there is a connection, and d's after that.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	return conn, nil
}
