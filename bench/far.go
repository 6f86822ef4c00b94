package main

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"time"
)

// farTrip is how much longer a round trip takes to a server that is far away.
const farTrip = 500 * time.Microsecond

// far makes a server far away: it listens in front of it, and passes everything on to it, and back, half of a trip later.
//
// Each direction has one queue for all connections: what takes equally long arrives in the order in which it was sent.
type far struct {
	listener net.Listener
	server   string
	ways     [2]chan parcel // there and back
	alarms   [2]*alarm
	closed   chan struct{}
	group    sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// parcel is what a connection is to be sent. Without data, nothing more comes.
type parcel struct {
	to   net.Conn
	data []byte
	due  time.Time
}

// farFrom puts the server that address names far away, and returns the address there.
func farFrom(address string) (*far, string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	f := &far{server: u.Host, closed: make(chan struct{})}
	for i := range f.ways {
		f.ways[i] = make(chan parcel, 1024)
		if f.alarms[i], err = newAlarm(); err != nil {
			return nil, "", err
		}
	}
	if f.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, "", err
	}
	f.group.Go(f.accept)
	for i, way := range f.ways {
		f.group.Go(func() { f.carry(way, f.alarms[i]) })
	}
	u.Host = f.listener.Addr().String()
	return f, u.String(), nil
}

func (f *far) accept() {
	for {
		near, err := f.listener.Accept()
		if err != nil {
			return
		}
		away, err := net.Dial("tcp", f.server)
		if err != nil {
			_ = near.Close() // its caller has the error
			continue
		}
		if !f.keep(near, away) {
			return
		}
		f.group.Go(func() { f.read(near, away, f.ways[0]) })
		f.group.Go(func() { f.read(away, near, f.ways[1]) })
	}
}

// keep leaves connections for close to close, and reports whether that is still to come.
func (f *far) keep(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, conns...)
	select {
	case <-f.closed:
		for _, c := range conns {
			_ = c.Close()
		}
		return false
	default:
		return true
	}
}

// read puts what comes from a connection on its way to another.
func (f *far) read(from, to net.Conn, way chan<- parcel) {
	for {
		data := make([]byte, 4096)
		n, err := from.Read(data)
		select {
		case way <- parcel{to: to, data: data[:n], due: time.Now().Add(farTrip / 2)}:
		case <-f.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

// carry delivers what is on its way. What is due in a moment goes at once: to wake for each would take longer.
func (f *far) carry(way <-chan parcel, a *alarm) {
	for {
		select {
		case p := <-way:
			if wait := time.Until(p.due); wait > farTrip/20 {
				a.sleep(wait)
			}
			if len(p.data) == 0 {
				_ = p.to.Close()
				continue
			}
			_, _ = p.to.Write(p.data) // who has gone misses nothing
		case <-f.closed:
			return
		}
	}
}

// close ends all connections.
func (f *far) close() error {
	f.mu.Lock()
	close(f.closed)
	err := errors.Join(f.listener.Close(), f.alarms[0].close(), f.alarms[1].close())
	for _, c := range f.conns {
		_ = c.Close() // one end may be closed already
	}
	f.mu.Unlock()
	f.group.Wait()
	return err
}
