package httpadapter_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/httpadapter"
)

// serve starts a real server.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// post makes a request to a real server.
func post(t *testing.T, server *httptest.Server, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/orders", body)
	require.NoError(t, err)
	r.Header.Set("Idempotency-Key", `"k-1"`)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(userHeader, "alice")
	return r
}

func exchange(t *testing.T, server *httptest.Server, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestOnARealServer(t *testing.T) {
	t.Parallel()
	const body = `{"amount":5}`
	cases := map[string]struct {
		http2 bool
		from  func() io.Reader
	}{
		"over HTTP/1.1":          {false, func() io.Reader { return strings.NewReader(body) }},
		"over HTTP/1.1, chunked": {false, func() io.Reader { return io.MultiReader(strings.NewReader(body)) }},
		"over HTTP/2":            {true, func() io.Reader { return strings.NewReader(body) }},
		"over HTTP/2, no length": {true, func() io.Reader { return io.MultiReader(strings.NewReader(body)) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			server := httptest.NewUnstartedServer(s.wrap(func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, c.http2, r.ProtoMajor == 2)
				w.Header().Set("Set-Cookie", "a=1")
				echo(w, r)
			}))
			server.EnableHTTP2 = c.http2
			server.StartTLS()
			defer server.Close()

			resp, got := exchange(t, server, post(t, server, c.from()))
			require.Equal(t, 201, resp.StatusCode)
			require.Equal(t, body, got)
			require.Equal(t, "a=1", resp.Header.Get("Set-Cookie"))
			require.EqualValues(t, len(body), resp.ContentLength)

			resp, got = exchange(t, server, post(t, server, c.from()))
			require.Equal(t, 201, resp.StatusCode)
			require.Equal(t, body, got)
			require.Equal(t, "true", resp.Header.Get("Idempotent-Replayed"))
			require.Empty(t, resp.Header.Get("Set-Cookie"))
			require.EqualValues(t, len(body), resp.ContentLength)
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

// TestAConnectionIsKeptAlive: neither an answer nor a replay nor a refusal may cost the client its connection.
func TestAConnectionIsKeptAlive(t *testing.T) {
	t.Parallel()
	s := newService(t)
	server := serve(t, s.wrap(echo))
	for i, want := range []int{201, 201, 422, 400, 401, 201} {
		r := post(t, server, strings.NewReader([]string{`1`, `1`, `2`, `1`, `1`, `1`}[i]))
		switch want {
		case 400:
			r.Header.Set("Idempotency-Key", `"`)
		case 401:
			r.Header.Del(userHeader)
		}
		reused := false
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused },
		}))
		resp, _ := exchange(t, server, r)
		require.Equal(t, want, resp.StatusCode)
		require.Equal(t, i > 0, reused)
	}
}

// talk sends raw bytes and returns a reader of what comes back.
func talk(t *testing.T, server *httptest.Server, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn, bufio.NewReader(conn)
}

const expecting = "POST /orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + userHeader + ": alice\r\n"

func TestAClientThatWaitsFor100ContinueSendsItsBodyWhenItIsWanted(t *testing.T) {
	t.Parallel()
	s := newService(t)
	server := serve(t, s.wrap(echo))
	conn, from := talk(t, server, expecting+"Idempotency-Key: k-1\r\nContent-Length: 3\r\n\r\n")
	line, err := from.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = from.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(conn, "123")
	require.NoError(t, err)
	resp, err := http.ReadResponse(from, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "123", string(body))
	require.Equal(t, 201, resp.StatusCode)
}

// TestAClientThatWaitsFor100ContinueIsRefusedWithoutItsBody: the first line that comes back must be the refusal.
func TestAClientThatWaitsFor100ContinueIsRefusedWithoutItsBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"for a missing key": {"Content-Length: 3\r\n", 400},
		"for a bad key":     {"Content-Length: 3\r\nIdempotency-Key: \"\r\n", 400},
		"for its length":    {"Content-Length: 99999999\r\nIdempotency-Key: k-1\r\n", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newService(t).wrap(echo))
			_, from := talk(t, server, expecting+c.header+"\r\n")
			line, err := from.ReadString('\n')
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(line, fmt.Sprintf("HTTP/1.1 %d ", c.status)), line)
		})
	}
}

func TestABodyThatWasCutShortIsNotRun(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ended := make(chan struct{})
	guarded := s.wrap(echo)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		guarded.ServeHTTP(w, r)
	}))
	conn, _ := talk(t, server, "POST /orders HTTP/1.1\r\nHost: x\r\n"+userHeader+": alice\r\nIdempotency-Key: k-1\r\nContent-Length: 9\r\n\r\n123")
	require.NoError(t, conn.Close())
	<-ended
	require.Zero(t, s.runs.Load())
}

// TestAClientThatHangsUpLosesNoAnswer: the handler goes on, the answer is stored, the retry gets it.
func TestAClientThatHangsUpLosesNoAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	running, noticed, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	guarded := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-noticed // the server has seen that the client is gone
		require.NoError(t, r.Context().Err())
		echo(w, r)
	})
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.runs.Load() > 0 {
			guarded.ServeHTTP(w, r)
			return
		}
		defer close(ended)
		stop := context.AfterFunc(r.Context(), func() { close(noticed) })
		defer stop()
		guarded.ServeHTTP(w, r)
	}))
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		<-running
		hangUp()
	}()
	_, err := server.Client().Do(post(t, server, strings.NewReader(`1`)).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	<-ended

	resp, body := exchange(t, server, post(t, server, strings.NewReader(`1`)))
	require.Equal(t, 201, resp.StatusCode)
	require.Equal(t, `1`, body)
	require.Equal(t, "true", resp.Header.Get("Idempotent-Replayed"))
	require.EqualValues(t, 1, s.runs.Load())
}

// TestARequestThatTheTransportSendsAgainRunsOnce: net/http's own client re-sends a POST with an Idempotency-Key when a
// connection that it used before dies without an answer.
func TestARequestThatTheTransportSendsAgainRunsOnce(t *testing.T) {
	t.Parallel()
	s := newService(t)
	guarded := s.wrap(echo)
	var arrived atomic.Int32
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" && arrived.Add(1) == 1 {
			guarded.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the answer is stored, and the connection dies
		}
		guarded.ServeHTTP(w, r)
	}))
	resp, err := server.Client().Get(server.URL + "/warm")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	warm := s.runs.Swap(0)
	require.EqualValues(t, 1, warm)

	resp, body := exchange(t, server, post(t, server, strings.NewReader(`1`)))
	require.EqualValues(t, 2, arrived.Load(), "the transport must have sent it twice")
	require.Equal(t, 201, resp.StatusCode)
	require.Equal(t, `1`, body)
	require.Equal(t, "true", resp.Header.Get("Idempotent-Replayed"))
	require.EqualValues(t, 1, s.runs.Load())
}

// TestATooLargeBodyEndsTheConnection: the limit is read on the server's own writer, which can then tell it to stop.
func TestATooLargeBodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	server := serve(t, newService(t, httpadapter.MaxBody(10)).wrap(echo))
	r := post(t, server, io.MultiReader(strings.NewReader(strings.Repeat("x", 1000))))
	resp, body := exchange(t, server, r)
	require.Equal(t, 413, resp.StatusCode)
	require.Contains(t, body, string(httpadapter.CodeBodyTooLarge))
	require.True(t, resp.Close)
}

func TestShutdownWaitsForAHandlerWhoseClientIsGone(t *testing.T) {
	t.Parallel()
	s := newService(t)
	running, finish := make(chan struct{}), make(chan struct{})
	server := serve(t, s.wrap(func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		echo(w, r)
	}))
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := server.Client().Do(post(t, server, strings.NewReader(`1`)).WithContext(ctx))
		gone <- err
	}()
	<-running
	hangUp()
	require.Error(t, <-gone)

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, server.Config.Shutdown(short), context.DeadlineExceeded, "the handler still runs")
	close(finish)
	require.NoError(t, server.Config.Shutdown(t.Context()))
	rec, err := s.guard.Lookup(t.Context(), "k-1", "alice")
	require.NoError(t, err)
	require.Equal(t, "Done", rec.State.String())
}
