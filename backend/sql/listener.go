package sqlbackend

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// ListenFunc has the server LISTEN to channel, on a connection of its own, and returns when ctx ends or the connection is
// lost, whose error it returns. It calls listening once, when every notification from then on will come, and returns the
// error of that; and heard with the payload of each notification. It has closed the connection when it returns.
type ListenFunc func(ctx context.Context, channel string, listening func() error, heard func(payload string)) error

// Listener is how the processes that wait for a record are told of its end: one connection, whatever the number of
// waiters, on which PostgreSQL notifies. It connects when somebody waits and leaves half a minute after the last one has
// gone. Where the connection is cut it is made again, after pauses that grow to 10 s; meanwhile waiters poll.
//
// Make one with NewListener, or with those of drivers/pgx and drivers/pq, and give it to WithListener. It may be used
// concurrently, and by all stores of one database.
type Listener struct {
	listen ListenFunc

	mu      sync.Mutex
	proves  map[*sqlx.DB]func(ctx context.Context, payload string) error // notify the way that stores do
	watches map[backend.ID][]chan struct{}
	running *listening // nil while nobody waits
	closed  bool
	ended   sync.WaitGroup
	turned  chan struct{} // closed, and another made, whenever one begins or ceases to be heard
}

// listening is a stretch of time for which a Listener wants to be connected.
type listening struct {
	cancel context.CancelFunc
	idle   *time.Timer // ends it when nobody waits any more
	nonce  string      // what has to be heard before anything is believed
	heard  bool        // what is notified arrives
	err    error       // why it does not
}

const (
	listenerLinger = 30 * time.Second
	longestPause   = 10 * time.Second
	proofWait      = 5 * time.Second
)

var (
	errListenerClosed = fmt.Errorf("sqlbackend: the listener is closed: %w", backend.ErrUnsupported)
	errUnproved       = errors.New("it is connected and hears nothing: LISTEN needs a direct connection to the database of " +
		"the records, and a pooler like PgBouncer in transaction mode is none; give the listener a data source of its own, or none")
	errConnecting = errors.New("it is connecting")
)

// NewListener returns a Listener whose connection a driver makes.
func NewListener(listen ListenFunc) *Listener {
	return &Listener{listen: listen, watches: map[backend.ID][]chan struct{}{}, proves: map[*sqlx.DB]func(context.Context, string) error{}, turned: make(chan struct{})}
}

// Close ends the connection, and returns when it has ended. Who still waits polls from then on.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	if s := l.running; s != nil {
		l.stop(s)
		l.wakeAll()
	}
	l.mu.Unlock()
	l.ended.Wait()
	return nil
}

// Connector returns c for sql.OpenDB in such a way that closing the pool closes l too.
func (l *Listener) Connector(c driver.Connector) driver.Connector { return closingConnector{c, l} }

type closingConnector struct {
	driver.Connector
	listener *Listener
}

func (c closingConnector) Close() error {
	err := c.listener.Close()
	if closer, ok := c.Connector.(io.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	return err
}

// state reports whether l wants to be connected, and why a watch would not be told at the moment.
func (l *Listener) state() (runs bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s := l.running; {
	case l.closed:
		return false, errListenerClosed
	case s == nil:
		return false, errConnecting
	case !s.heard:
		return true, fmt.Errorf("sqlbackend: the listener: %w", s.err)
	}
	return true, nil
}

// watch returns a channel that is closed when the record is notified of, or when notifications may have been missed.
func (l *Listener) watch(id backend.ID) (<-chan struct{}, func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, errListenerClosed
	}
	if l.running == nil {
		l.start()
	}
	s := l.running
	s.idle.Reset(listenerLinger)
	if !s.heard {
		return nil, nil, fmt.Errorf("sqlbackend: the listener: %w", s.err)
	}
	changed := make(chan struct{})
	l.watches[id] = append(l.watches[id], changed)
	return changed, func() { l.unwatch(id, changed) }, nil
}

func (l *Listener) unwatch(id backend.ID, changed chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := slices.DeleteFunc(l.watches[id], func(c chan struct{}) bool { return c == changed })
	if len(rest) > 0 {
		l.watches[id] = rest
		return
	}
	delete(l.watches, id)
	if l.running != nil {
		l.running.idle.Reset(listenerLinger)
	}
}

// start and what follows need the lock.
func (l *Listener) start() {
	ctx, cancel := context.WithCancel(context.Background()) // it outlives the call that needed it first
	s := &listening{cancel: cancel, err: errConnecting}
	s.idle = time.AfterFunc(listenerLinger, func() { l.retire(s) })
	l.running = s
	l.ended.Go(func() { l.run(ctx, s) })
}

func (l *Listener) stop(s *listening) {
	l.running = nil
	s.idle.Stop()
	s.cancel()
}

func (l *Listener) wakeAll() {
	for _, all := range l.watches {
		for _, changed := range all {
			close(changed)
		}
	}
	clear(l.watches)
	l.turn()
}

func (l *Listener) turn() {
	close(l.turned)
	l.turned = make(chan struct{})
}

// retire ends s if nobody waits: who came since has set its timer again.
func (l *Listener) retire(s *listening) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == s && len(l.watches) == 0 {
		l.stop(s)
	}
}

// run connects, again and again, until ctx ends.
func (l *Listener) run(ctx context.Context, s *listening) {
	for round := 0; ; round++ {
		err := l.listen(ctx, notifyChannel, func() error { return l.begin(ctx, s) }, func(payload string) { l.hear(s, payload) })
		if l.lose(s, err) {
			round = 0
		}
		pause := min(longestPause, 100*time.Millisecond<<min(round, 10))
		if rest(ctx, pause/2+rand.N(pause/2)) != nil {
			return
		}
	}
}

// begin proves that what stores send arrives here: a LISTEN that a pooler has given to somebody else's connection, or one
// in another database, succeeds and hears nothing.
func (l *Listener) begin(ctx context.Context, s *listening) error {
	l.mu.Lock()
	s.nonce, s.err = "proof "+strconv.FormatUint(rand.Uint64(), 36), errUnproved
	nonce, proves := s.nonce, slices.Collect(maps.Values(l.proves))
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	err := errors.New("no store uses it")
	for _, prove := range proves { // a pool may be closed by now
		if err = prove(ctx, nonce); err == nil {
			return nil
		}
	}
	return err
}

func (l *Listener) hear(s *listening, payload string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running != s {
		return
	}
	if payload == s.nonce {
		s.heard, s.err = true, nil
		l.turn()
		return
	}
	var id backend.ID
	if len(payload) != hex.EncodedLen(len(id)) {
		return
	}
	if _, err := hex.Decode(id[:], []byte(payload)); err != nil {
		return // somebody else's
	}
	for _, changed := range l.watches[id] {
		close(changed)
	}
	delete(l.watches, id)
	if len(l.watches) == 0 {
		s.idle.Reset(listenerLinger)
	}
}

// lose wakes everybody, since nobody knows what is missed from now on, and reports whether s was heard.
func (l *Listener) lose(s *listening, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := s.heard
	s.heard, s.nonce, s.err = false, "", fmt.Errorf("its connection failed: %w", err)
	if l.running != s {
		return heard
	}
	if len(l.watches) > 0 {
		s.idle.Reset(listenerLinger)
	}
	l.wakeAll()
	return heard
}

// await connects and waits until notifications arrive. It returns the reason why they did not before ctx ended.
func (l *Listener) await(ctx context.Context) error {
	for {
		l.mu.Lock()
		turned := l.turned
		l.mu.Unlock()
		_, stop, err := l.watch(backend.ID{})
		if err == nil {
			stop()
			return nil
		}
		select {
		case <-turned:
		case <-ctx.Done():
			_, err := l.state()
			return err
		}
	}
}
