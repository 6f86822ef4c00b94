package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// api is a running server as a client sees it.
type api struct {
	base string
	// The client makes a connection a request: net/http would send a request with a key again by itself when a
	// connection that it reuses breaks.
	client *http.Client
}

func newAPI(base string) api {
	return api{base: base, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) replayed() bool { return r.header.Get("Idempotent-Replayed") == "true" }

// decode reads the answer's body.
func decode[T any](t *testing.T, r reply) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.body), &v), r.body)
	return v
}

// call is a request. Header lines are "Name: value".
type call struct {
	method, path string
	user, key    string // left out where they are empty
	body         string
	mediaType    string // application/json where it is empty
	lines        []string
}

func (a api) try(ctx context.Context, c call) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, a.base+c.path, strings.NewReader(c.body))
	if err != nil {
		return reply{}, err
	}
	if c.user != "" {
		req.Header.Set("Authorization", "Bearer "+c.user)
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	req.Header.Set("Content-Type", cmp.Or(c.mediaType, "application/json"))
	for _, line := range c.lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body)}, err
}

func (a api) do(t *testing.T, c call) reply {
	t.Helper()
	r, err := a.try(t.Context(), c)
	require.NoError(t, err)
	return r
}

// later sends c from a goroutine. The channel gets the answer, or is closed if there was none.
func (a api) later(ctx context.Context, c call) <-chan reply {
	answer := make(chan reply, 1)
	go func() {
		defer close(answer)
		if r, err := a.try(ctx, c); err == nil {
			answer <- r
		}
	}()
	return answer
}

const (
	aPrediction = `{"market_id":"m1","outcome":"yes","stake":100}`
	aPayout     = `{"market_id":"m1","amount":5}`
)

func predict(key string, lines ...string) call {
	return call{method: "POST", path: "/predictions", user: "alice", key: key, body: aPrediction, lines: lines}
}

func pay(key string, lines ...string) call {
	return call{method: "POST", path: "/payouts", user: "alice", key: key, body: aPayout, lines: lines}
}

func get(path string) call { return call{method: "GET", path: path, user: "alice"} }

func (c call) with(change func(*call)) call {
	change(&c)
	return c
}

func (a api) executions(t *testing.T) int {
	t.Helper()
	r := a.do(t, get("/debug/executions"))
	require.Equal(t, http.StatusOK, r.status)
	return decode[map[string]int](t, r)["executions"]
}

// ran waits until so many guarded handlers have begun.
func (a api) ran(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return a.executions(t) == n }, 10*time.Second, 5*time.Millisecond)
}

// local is a server in this process.
type local struct {
	api
	*server
	logged func() string // stops the server, and returns what it logged
}

// serve starts a server on a temporary file, with fault headers unless change takes them away.
func serve(t *testing.T, change ...func(*config)) local {
	t.Helper()
	c := config{db: filepath.Join(t.TempDir(), "test.db"), lease: 30 * time.Second, faults: true}
	for _, f := range change {
		f(&c)
	}
	var out bytes.Buffer
	s, err := newServer(t.Context(), c, log.New(&out, "", 0))
	require.NoError(t, err)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, l) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { require.NoError(t, stop()) })
	return local{newAPI(baseURL(l.Addr())), s, func() string {
		require.NoError(t, stop())
		return out.String()
	}}
}

func inMemory(c *config)      { c.backend = "memory:" }
func withoutFaults(c *config) { c.faults = false }

// hangUp sends c and ends the connection when so many guarded handlers have begun.
func (a api) hangUp(t *testing.T, c call, n int) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	gone := a.later(ctx, c)
	a.ran(t, n)
	leave()
	_, answered := <-gone
	require.False(t, answered, "the client was answered before it left")
}
