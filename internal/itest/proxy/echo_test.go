package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lines is a protocol for tests: a request is a line and so is its answer. A line of the server that begins with a star
// answers nothing.
type lines struct{}

func (lines) wire() wire { return lines{} }

func (lines) read(from *bufio.Reader) ([]byte, Request, bool, error) {
	raw, err := from.ReadBytes('\n')
	return raw, Request{Kind: Statement, Text: strings.TrimSpace(string(raw))}, true, err
}

func (lines) answer(from *bufio.Reader, _ *Request) (raw []byte, last, stray bool, err error) {
	raw, err = from.ReadBytes('\n')
	return raw, true, err == nil && raw[0] == '*', err
}

// echo is a server of that protocol. It carries out what it gets by remembering it, and answers "did ".
type echo struct {
	addr string

	mu      sync.Mutex
	did     []string
	closed  int // connections that clients have closed
	changed chan struct{}
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &echo{addr: l.Addr().String(), changed: make(chan struct{}, 1000)}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { e.serve(c) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		running.Wait()
	})
	return e
}

func (e *echo) serve(c net.Conn) {
	defer c.Close()
	from := bufio.NewReader(c)
	for {
		line, err := from.ReadString('\n')
		e.mu.Lock()
		switch {
		case err == nil:
			e.did = append(e.did, strings.TrimSpace(line))
		case line != "":
			e.did = append(e.did, line+"…")
		}
		if err != nil {
			e.closed++
		}
		e.mu.Unlock()
		e.changed <- struct{}{}
		if err != nil {
			return
		}
		fmt.Fprintf(c, "*stray\ndid %s", line)
	}
}

// await waits until the server has done what is wanted and no more, in any order, and so many clients have closed.
func (e *echo) await(t *testing.T, closed int, did ...string) {
	t.Helper()
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	slices.Sort(did)
	for {
		e.mu.Lock()
		seen, gone := slices.Sorted(slices.Values(e.did)), e.closed
		e.mu.Unlock()
		if gone == closed && slices.Equal(seen, did) {
			return
		}
		select {
		case <-e.changed:
		case <-late.C:
			require.FailNow(t, "the server is not where it should be", "did %q, closed %d", seen, gone)
		}
	}
}

// client talks to the proxy.
type client struct {
	*testing.T
	conn *net.TCPConn
	from *bufio.Reader
}

func dial(t *testing.T, p *Proxy) *client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return &client{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (c *client) send(lines ...string) {
	c.Helper()
	_, err := io.WriteString(c.conn, strings.Join(lines, "\n")+"\n")
	require.NoError(c, err)
}

func (c *client) hears(lines ...string) {
	c.Helper()
	for _, want := range lines {
		got, err := c.from.ReadString('\n')
		require.NoError(c, err)
		require.Equal(c, want+"\n", got)
	}
}

// ends is what the client reads to the end, and whether the end was a reset.
func (c *client) ends() (rest string, wasReset bool) {
	c.Helper()
	b, err := io.ReadAll(c.from)
	if err == nil {
		return string(b), false
	}
	require.ErrorIs(c, err, syscall.ECONNRESET)
	return string(b), true
}

// hearsNothing looks whether there is something to hear. What is on its way cannot be seen: what must not come has to
// have been ruled out by what was waited for.
func (c *client) hearsNothing() {
	c.Helper()
	require.NoError(c, c.conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := c.from.Peek(1)
	var late net.Error
	require.ErrorAs(c, err, &late)
	require.True(c, late.Timeout())
	require.NoError(c, c.conn.SetReadDeadline(time.Now().Add(20*time.Second)))
}
