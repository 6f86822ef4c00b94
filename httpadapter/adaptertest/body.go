package adaptertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/idem-go/idem/httpadapter"
)

// dial sends the beginning of a request that net/http's own client would not send.
func (s *server) dial(head string) (net.Conn, *bufio.Reader) {
	s.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	s.ok("net.Dial", err)
	s.Cleanup(func() { _ = conn.Close() })
	s.ok("SetDeadline", conn.SetDeadline(time.Now().Add(s.harness.Patience)))
	_, err = fmt.Fprintf(conn, "POST /orders HTTP/1.1\r\nHost: kit\r\n%s: alice\r\nIdempotency-Key: %s\r\n%s", userHeader, defaultKey, head)
	s.ok("the request", err)
	return conn, bufio.NewReader(conn)
}

var bodyRules = []Rule{
	rule("the handler gets the whole body",
		"The body is read once and then the handler's, byte for byte, with its length.",
		func(r *rig) {
			content := string(binary())
			s := r.serve(func(w http.ResponseWriter, request *http.Request) {
				got, err := io.ReadAll(request.Body)
				if err != nil || string(got) != content || request.ContentLength != int64(len(content)) {
					r.wrong("the handler got %d bytes, Content-Length %d, %v; want %d", len(got), request.ContentLength, err, len(content))
				}
				if err := request.Body.Close(); err != nil {
					r.wrong("Body.Close: %v", err)
				}
				r.order(w, request)
			})
			binaryType := header("Content-Type", "application/octet-stream")
			s.send(binaryType, body(content)).first(201, ordered(1))
			s.send(binaryType, body(content), chunked, key("key-2")).first(201, ordered(2))
			s.send(binaryType, body(content), chunked).replayed(201, ordered(1))
		}),
	rule("a body may be as large as the limit",
		"The limit is the most that a body may have: that many bytes pass, one more is 413 body_too_large, chunked or not.",
		func(r *rig) {
			s := r.serve(r.order, httpadapter.MaxBody(1000))
			most := text(strings.Repeat("x", 1000))
			s.send(most).first(201, ordered(1))
			s.send(most, chunked).replayed(201, ordered(1))
			over := text(strings.Repeat("x", 1001))
			s.send(key("key-2"), over).refused(413, httpadapter.CodeBodyTooLarge)
			s.send(key("key-2"), over, chunked).refused(413, httpadapter.CodeBodyTooLarge)
			r.ran(1)
		}),
	rule("the limit is a mebibyte",
		"Where no limit is set a body may have 1 MiB.",
		func(r *rig) {
			s := r.serve(r.order)
			s.send(text(strings.Repeat("x", 1<<20))).first(201, ordered(1))
			s.send(key("key-2"), text(strings.Repeat("x", 1<<20+1)), chunked).refused(413, httpadapter.CodeBodyTooLarge)
		}),
	rule("a client that waits is refused before it sends",
		"Expect: 100-continue is answered by reading. A body that is announced as too large is refused instead.",
		func(r *rig) {
			s := r.serve(r.order)
			_, from := s.dial("Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
			line, err := from.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 413 ") {
				r.Fatalf("the first line is %q, %v; want HTTP/1.1 413", line, err)
			}
		}),
	rule("a client that waits sends what is wanted",
		"A body that is wanted is asked for with 100 Continue, and the answer follows.",
		func(r *rig) {
			s := r.serve(r.order)
			conn, from := s.dial("Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
			line, err := from.ReadString('\n')
			if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
				r.Fatalf("the first line is %q, %v; want HTTP/1.1 100 Continue", line, err)
			}
			_, err = io.WriteString(conn, "123")
			r.ok("the body", err)
			_, err = from.ReadString('\n')
			r.ok("the line after 100 Continue", err)
			resp, err := http.ReadResponse(from, nil)
			r.ok("the answer", err)
			defer resp.Body.Close()
			if resp.StatusCode != 201 {
				r.Fatalf("the answer is %d, want 201", resp.StatusCode)
			}
		}),
	rule("a body that was cut short runs nothing",
		"A client that hangs up in the middle of its body has sent no request: the handler does not run, nothing is claimed.",
		func(r *rig) {
			ended := make(chan struct{}, 1)
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					defer func() { ended <- struct{}{} }()
					h.ServeHTTP(w, request)
				})
			}}, r.order)
			conn, _ := s.dial("Content-Length: 9\r\n\r\n123")
			r.ok("Close", conn.Close())
			r.soon("the end of the exchange", ended)
			r.ran(0)
			s.send().first(201, ordered(1))
		}),
	rule("a body that was read before is refused",
		"Where something in front of the middleware has read the body all requests would look alike: 500 body_already_read.",
		func(r *rig) {
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					_, _ = io.Copy(io.Discard, request.Body)
					h.ServeHTTP(w, request)
				})
			}}, r.order)
			s.send().refused(500, httpadapter.CodeBodyRead)
			r.ran(0)
		}),
	rule("a form that was parsed before is refused",
		"The same where it was parsed as a form.",
		func(r *rig) {
			s := r.serveWith(setup{outside: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					_ = request.ParseForm()
					h.ServeHTTP(w, request)
				})
			}}, r.order)
			form := header("Content-Type", "application/x-www-form-urlencoded")
			s.send(form, body("a=1")).refused(500, httpadapter.CodeBodyRead)
			s.send(form, body("a=1"), chunked).refused(500, httpadapter.CodeBodyRead)
			r.ran(0)
		}),
}
