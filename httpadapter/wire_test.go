package httpadapter_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

const alice = "POST /orders HTTP/1.1\r\nHost: x\r\n" + userHeader + ": alice\r\n"

// said sends raw bytes on a connection of its own and returns the answer to the first request in them.
func said(t *testing.T, server *httptest.Server, text string) (*http.Response, string) {
	t.Helper()
	_, from := talk(t, server, text)
	return answered(t, from)
}

func answered(t *testing.T, from *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(from, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// TestKeysOnTheWire is about what a server makes of a header before the middleware sees it.
func TestKeysOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  string
		status int
	}{
		"as the draft has it":            {"Idempotency-Key: \"k-1\"\r\n", 201},
		"with white space around it":     {"Idempotency-Key: \t \"k-1\" \t\r\n", 201},
		"without white space":            {"Idempotency-Key:k-1\r\n", 201},
		"with a name in lower case":      {"idempotency-key: k-1\r\n", 201},
		"on a folded line":               {"Idempotency-Key:\r\n k-1\r\n", 201},
		"on a folded line with two":      {"Idempotency-Key: k-1\r\n k-2\r\n", 400},
		"on two lines":                   {"Idempotency-Key: k-1\r\nIdempotency-Key: k-1\r\n", 400},
		"on two lines, apart":            {"Idempotency-Key: k-1\r\nX: 1\r\nidempotency-key: k-2\r\n", 400},
		"empty":                          {"Idempotency-Key:\r\n", 400},
		"absent":                         {"", 400},
		"of bytes that are not ASCII":    {"Idempotency-Key: \"k\xc3\xb6\"\r\n", 400},
		"with a control character":       {"Idempotency-Key: k\x01\r\n", 400},
		"in a header that looks like it": {"Idempotency_Key: k-1\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			resp, body := said(t, serve(t, s.wrap(echo)), alice+c.lines+"Content-Length: 1\r\n\r\n1")
			require.Equal(t, c.status, resp.StatusCode, body)
			require.Equal(t, c.status == 201, s.state(t) == backend.Done)
		})
	}
}

// TestFramesOnTheWire is about where a body ends.
func TestFramesOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest   string
		status int
		body   string // that the handler gets
	}{
		"a length":                    {"Content-Length: 3\r\n\r\n123", 201, "123"},
		"a length of nothing":         {"Content-Length: 0\r\n\r\n", 201, ""},
		"neither length nor chunks":   {"\r\n", 201, ""},
		"a length that is too short":  {"Content-Length: 3\r\n\r\n12345", 201, "123"},
		"lengths that are one":        {"Content-Length: 3\r\nContent-Length: 3\r\n\r\n123", 201, "123"},
		"lengths that differ":         {"Content-Length: 3\r\nContent-Length: 4\r\n\r\n1234", 400, ""},
		"a negative length":           {"Content-Length: -1\r\n\r\n", 400, ""},
		"chunks":                      {"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n2\r\n23\r\n0\r\n\r\n", 201, "123"},
		"chunks and a length":         {"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n3\r\n123\r\n0\r\n\r\n", 201, "123"},
		"chunks with a trailer":       {"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\n123\r\n0\r\nX-Sum: 6\r\n\r\n", 201, "123"},
		"a chunk whose size is wrong": {"Transfer-Encoding: chunked\r\n\r\nx\r\n1\r\n0\r\n\r\n", 400, ""},
		"a chunk that is too long":    {"Transfer-Encoding: chunked\r\n\r\n1\r\n123\r\n0\r\n\r\n", 400, ""},
		"another coding":              {"Transfer-Encoding: gzip\r\n\r\n", 501, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			var got []byte
			server := serve(t, s.wrap(func(w http.ResponseWriter, r *http.Request) {
				got, _ = io.ReadAll(r.Body)
				w.WriteHeader(http.StatusCreated)
			}))
			resp, body := said(t, server, alice+"Idempotency-Key: k-1\r\n"+c.rest)
			require.Equal(t, c.status, resp.StatusCode, body)
			require.Equal(t, c.body, string(got))
			require.Equal(t, c.status == 201, s.state(t) == backend.Done, "what was refused must not be claimed")
		})
	}
}

// TestABodyFramedInAnotherWayIsTheSameRequest: length and chunks are between a client and its server.
func TestABodyFramedInAnotherWayIsTheSameRequest(t *testing.T) {
	t.Parallel()
	s := newService(t)
	server := serve(t, s.wrap(echo))
	key := "Idempotency-Key: k-1\r\n"
	for n, request := range []string{
		alice + key + "Content-Length: 3\r\n\r\n123",
		alice + key + "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n2\r\n23\r\n0\r\n\r\n",
		"POST http://x/orders HTTP/1.1\r\nHost: x\r\n" + userHeader + ": alice\r\n" + key + "Content-Length: 3\r\n\r\n123",
		"POST /orders HTTP/1.0\r\n" + userHeader + ": alice\r\n" + key + "Content-Length: 3\r\n\r\n123",
	} {
		resp, body := said(t, server, request)
		require.Equal(t, 201, resp.StatusCode, body)
		require.Equal(t, "123", body)
		require.Equal(t, n > 0, resp.Header.Get("Idempotent-Replayed") == "true")
	}
	resp, body := said(t, server, strings.Replace(alice, "/orders", "/%6Frders", 1)+key+"Content-Length: 3\r\n\r\n123")
	require.Equal(t, 422, resp.StatusCode, "the path as it was sent: "+body)
}

// TestManyRequestsOnOneConnection sends them before the first answer has come.
func TestManyRequestsOnOneConnection(t *testing.T) {
	t.Parallel()
	s := newService(t)
	one := alice + "Idempotency-Key: k-1\r\nContent-Length: 1\r\n\r\n1"
	other := alice + "Idempotency-Key: k-2\r\nContent-Length: 1\r\n\r\n2"
	_, from := talk(t, serve(t, s.wrap(echo)), one+one+other+one)
	for n, want := range []string{"1", "1", "2", "1"} {
		resp, body := answered(t, from)
		require.Equal(t, 201, resp.StatusCode)
		require.Equal(t, want, body)
		require.Equal(t, n == 1 || n == 3, resp.Header.Get("Idempotent-Replayed") == "true")
	}
	require.EqualValues(t, 2, s.runs.Load())
}

func TestBinaryBodiesPassByteForByte(t *testing.T) {
	t.Parallel()
	body := bytesOf(100 * kib)
	for name, http2 := range map[string]bool{"over HTTP/1.1": false, "over HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			server := httptest.NewUnstartedServer(s.wrap(echo))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			for range 2 {
				resp, got := exchange(t, server, post(t, server, bytes.NewReader(body)))
				require.Equal(t, http2, resp.ProtoMajor == 2)
				require.True(t, bytes.Equal(body, []byte(got)))
			}
			changed := bytes.Clone(body)
			changed[len(changed)-1]++
			resp, _ := exchange(t, server, post(t, server, bytes.NewReader(changed)))
			require.Equal(t, 422, resp.StatusCode)
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

// TestAHandlerThatDoesNotReturnEndsTheConnection: the client must not take anything for an answer, and the next request
// runs.
func TestAHandlerThatDoesNotReturnEndsTheConnection(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(){
		"but aborts": func() { panic(http.ErrAbortHandler) },
		"but exits":  runtime.Goexit,
	} {
		for proto, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
			if http2 && name == "but exits" {
				continue // net/http itself leaves such a stream open
			}
			t.Run(name+", over "+proto, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				guarded := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, "half of it")
					if s.runs.Load() == 1 {
						leave()
					}
				})
				ended := make(chan struct{}, 2)
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { ended <- struct{}{} }()
					guarded.ServeHTTP(w, r)
				}))
				server.EnableHTTP2 = http2
				server.StartTLS()
				defer server.Close()
				one := post(t, server, strings.NewReader(`1`))
				one.GetBody = nil // the transport must not send it again by itself
				_, err := server.Client().Do(one)
				require.Error(t, err)
				<-ended
				require.Equal(t, backend.Absent, s.state(t))
				resp, body := exchange(t, server, post(t, server, strings.NewReader(`1`)))
				require.Equal(t, 201, resp.StatusCode)
				require.Equal(t, "half of it", body)
				require.Empty(t, resp.Header.Get("Idempotent-Replayed"))
			})
		}
	}
}

// TestAClientThatHangsUpWhileItsAnswerIsSent has its answer in store.
func TestAClientThatHangsUpWhileItsAnswerIsSent(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"an answer that is kept": 900 * kib, "an answer that was spooled": 8 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			body, ended := bytesOf(size), make(chan struct{}, 2)
			guarded := s.wrap(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { ended <- struct{}{} }()
				guarded.ServeHTTP(w, r)
			}))
			conn, from := talk(t, server, alice+"Idempotency-Key: k-1\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1")
			_, err := from.ReadString('\n')
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			<-ended
			resp, got := exchange(t, server, post(t, server, strings.NewReader(`1`)))
			require.EqualValues(t, 1, s.runs.Load())
			if size < (1 << 20) {
				require.True(t, bytes.Equal(body, []byte(got)))
				return
			}
			require.Equal(t, 409, resp.StatusCode)
			require.Contains(t, got, string(idem.CodeAnswerNotKept))
		})
	}
}

// TestAClientThatHangsUpWhileItWaitsClaimsNothing: only the handler's context is detached.
func TestAClientThatHangsUpWhileItWaitsClaimsNothing(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Call(idem.Wait(time.Minute)))
	running, finish, arrived, ended := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	guarded := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		echo(w, r)
	})
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Second") == "" {
			guarded.ServeHTTP(w, r)
			return
		}
		close(arrived)
		guarded.ServeHTTP(w, r)
		close(ended)
	}))
	done := make(chan *http.Response, 1)
	go func() {
		resp, err := server.Client().Do(post(t, server, strings.NewReader(`1`)))
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- resp
	}()
	<-running
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		<-arrived
		hangUp()
	}()
	second := post(t, server, strings.NewReader(`1`)).WithContext(ctx)
	second.Header.Set("X-Second", "1")
	_, err := server.Client().Do(second)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	close(finish)
	require.Equal(t, 201, (<-done).StatusCode)
	require.EqualValues(t, 1, s.runs.Load())
}

// TestAClientThatHangsUpOverHTTP2LosesNoAnswer: a stream is reset instead of a connection.
func TestAClientThatHangsUpOverHTTP2LosesNoAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	running, gone := make(chan struct{}), make(chan struct{})
	guarded := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-gone
		echo(w, r)
	})
	ended := make(chan struct{}, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		if s.runs.Load() == 0 {
			stop := context.AfterFunc(r.Context(), func() { close(gone) })
			defer stop()
		}
		guarded.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
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
}
