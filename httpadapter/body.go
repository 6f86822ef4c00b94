package httpadapter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// ErrBodyRead says that something read the request's body before the middleware: place idem before what reads the body.
// All requests would look alike to it and would get each other's answers, so it refuses with 500 and claims nothing.
var ErrBodyRead = errors.New("httpadapter: the body was read before idem; place idem before what reads the body")

var (
	errTooLarge   = errors.New("httpadapter: the body is larger than the limit")
	errUnreadable = errors.New("httpadapter: the body could not be read")
)

// readBody returns the whole body, in space if it fits, or why the request is refused. Where the length is known it is
// checked before a byte is read, and so before a client that waits for 100 Continue sends one.
func (m *Middleware) readBody(w http.ResponseWriter, x Exchange, space []byte) ([]byte, error) {
	r := x.Request
	switch {
	case r.ContentLength > m.maxBody:
		return nil, errTooLarge
	case x.BodyRead, r.PostForm != nil, r.MultipartForm != nil:
		return nil, ErrBodyRead
	}
	body, err := readAll(w, r, m.maxBody, space)
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) < r.ContentLength:
		return nil, ErrBodyRead
	}
	return body, nil
}

// firstBuffer bounds what is set aside for a body before any of it has come: a header is cheap to send.
const firstBuffer = 64 << 10

// readAll reads through http.MaxBytesReader on the writer that came in, so that the server closes the connection of a
// client that sends too much, and so that a smaller limit further out counts. A body whose length is known was measured
// before; a server gives out no more of it.
func readAll(w http.ResponseWriter, r *http.Request, limit int64, space []byte) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return space[:0], nil
	}
	var from io.Reader = r.Body
	hint := r.ContentLength
	if hint <= 0 {
		from, hint = http.MaxBytesReader(w, r.Body, limit), bytes.MinRead-1
	}
	body := space[:0]
	if hint >= int64(cap(space)) { // one more, so that the end is met without growing
		body = make([]byte, 0, min(hint, firstBuffer)+1)
	}
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, errTooLarge
		case err == io.EOF: //nolint:errorlint // a wrapped EOF is that of something which was cut short
			return body, nil
		case err != nil:
			return nil, readError(err)
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

func readError(err error) error {
	if errors.Is(err, http.ErrBodyReadAfterClose) {
		return ErrBodyRead
	}
	return fmt.Errorf("%w: %w", errUnreadable, err)
}

// wholeBody is a body that was read already, as the handler gets it.
type wholeBody struct {
	mu   sync.Mutex
	rest []byte
}

// Read copies, so that nobody holds the bytes themselves. It tells of the end with the last of them.
func (b *wholeBody) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = copy(p, b.rest)
	if b.rest = b.rest[n:]; len(b.rest) == 0 {
		err = io.EOF
	}
	return n, err
}

// Close does nothing: there is nothing behind the bytes.
func (*wholeBody) Close() error { return nil }

// spent reports whether everything was read, so that no later Read needs the bytes.
func (b *wholeBody) spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rest) == 0
}
