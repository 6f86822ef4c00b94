package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	redisbackend "github.com/idem-go/idem/backend/redis"
	"github.com/idem-go/idem/internal/itest/redisserver"
)

// serverURL names a server where tests may make keys under prefixes of their own, which go with them.
const serverURL = "IDEM_TEST_REDIS"

// named returns the options of a client of the server that the environment names.
func named(tb testing.TB) *redis.Options {
	tb.Helper()
	text := os.Getenv(serverURL)
	if text == "" {
		tb.Skipf("NOT TESTED: %s names no Redis server, as in redis://127.0.0.1:6379", serverURL)
	}
	o, err := redis.ParseURL(text)
	require.NoError(tb, err)
	o.ContextTimeoutEnabled = true
	return o
}

// storage is a place of its own on a server.
type storage struct {
	options redis.Options
	prefix  string
	own     *redis.Client // beside the stores, to look and to meddle
	wire    *wire         // of the stores' connections
}

var prefixes atomic.Int64

// newStorage makes a place on the server, whose keys go with the test.
func newStorage(tb testing.TB, o *redis.Options) *storage {
	tb.Helper()
	s := &storage{options: *o, prefix: fmt.Sprintf("idem-test-%d-%d:", os.Getpid(), prefixes.Add(1)), wire: &wire{}}
	own := *o
	s.own = redis.NewClient(&own)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, key := range s.keys(ctx) {
			s.own.Del(ctx, key)
		}
		require.NoError(tb, s.own.Close())
	})
	return s
}

func (s *storage) keys(ctx context.Context) (keys []string) {
	for all := s.own.Scan(ctx, 0, s.prefix+"*", 1000).Iterator(); all.Next(ctx); {
		keys = append(keys, all.Val())
	}
	return keys
}

// client returns another client on the server, whose connections are watched.
func (s *storage) client(tb backendtest.TB, change ...func(*redis.Options)) *redis.Client {
	tb.Helper()
	o := s.options
	for _, f := range change {
		f(&o)
	}
	o.Dialer = s.wire.dialer(&o)
	client := redis.NewClient(&o)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// open returns a store through a client of its own.
func (s *storage) open(tb backendtest.TB, opts ...redisbackend.Option) *redisbackend.Store {
	tb.Helper()
	return s.openOn(tb, s.client(tb), opts...)
}

func (s *storage) openOn(tb backendtest.TB, client redis.UniversalClient, opts ...redisbackend.Option) *redisbackend.Store {
	tb.Helper()
	store, err := redisbackend.New(tb.Context(), client, append([]redisbackend.Option{redisbackend.Prefix(s.prefix)}, opts...)...)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func (s *storage) advance(tb backendtest.TB, d time.Duration) {
	tb.Helper()
	for _, key := range s.keys(tb.Context()) {
		if err := redisserver.Shift(tb.Context(), s.own, key, d); err != nil {
			tb.Fatalf("advance: %v", err)
		}
	}
}

func (s *storage) key(id backend.ID) string { return fmt.Sprintf("%s%x", s.prefix, id[:]) }

// harness is the suite's view of the storage.
func (s *storage) harness(opts ...redisbackend.Option) backendtest.Harness {
	return backendtest.Harness{
		Open:         func(tb backendtest.TB) backend.Store { return s.open(tb, opts...) },
		Advance:      s.advance,
		SelfExpiring: true,
	}
}

// wire is what happens between stores and their server.
type wire struct {
	dials atomic.Int64 // connections
	trips atomic.Int64 // requests that were followed by an answer
	hit   atomic.Pointer[func(*wiredConn, []byte) bool]
}

func (w *wire) dialer(o *redis.Options) func(context.Context, string, string) (net.Conn, error) {
	dial := redis.NewDialer(o)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		w.dials.Add(1)
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &wiredConn{Conn: conn, on: w}, nil
	}
}

type wiredConn struct {
	net.Conn
	on      *wire
	written atomic.Bool
	lose    atomic.Bool // the next answer
}

func (c *wiredConn) Write(b []byte) (int, error) {
	c.written.Store(true)
	if hit := c.on.hit.Load(); hit != nil && (*hit)(c, b) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

func (c *wiredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.written.Swap(false) {
		c.on.trips.Add(1)
	}
	if n > 0 && c.lose.Load() {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
