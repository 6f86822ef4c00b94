package ginadapter

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// noWritten is the size of an answer of which nothing was written, as in gin.
const noWritten = -1

// writer is the writer that handlers get: gin's bookkeeping over a recorder. A status is kept until something is
// written, or WriteHeaderNow is called.
//
// gin's interface demands Flush, Hijack and CloseNotify. There is no Unwrap: what lies behind must not be reached.
type writer struct {
	http.ResponseWriter
	status int
	size   int
	chosen bool // the handler set a status
}

var _ gin.ResponseWriter = (*writer)(nil)

// answered reports whether the handler said anything at all.
func (w *writer) answered() bool { return w.chosen || w.Written() }

// WriteHeader sets the status of an answer of which nothing is written yet. As in gin, one that is not positive counts
// for nothing.
func (w *writer) WriteHeader(status int) {
	if status > 0 && !w.Written() {
		w.status, w.chosen = status, true
	}
}

// WriteHeaderNow ends the header.
func (w *writer) WriteHeaderNow() {
	if !w.Written() {
		w.size = 0
		w.ResponseWriter.WriteHeader(w.status)
	}
}

// Write keeps a copy of p.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeaderNow()
	n, err := w.ResponseWriter.Write(p)
	w.size += n
	return n, err
}

// WriteString is Write without a conversion.
func (w *writer) WriteString(s string) (int, error) {
	w.WriteHeaderNow()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.size += n
	return n, err
}

// Status returns the status that the answer has so far.
func (w *writer) Status() int { return w.status }

// Size returns how many bytes of the body are written, or -1 where nothing is, not even the header.
func (w *writer) Size() int { return w.size }

// Written reports whether the header or anything else is written.
func (w *writer) Written() bool { return w.size != noWritten }

// Flush does nothing: nothing may be sent before the answer is stored.
func (*writer) Flush() {}

// FlushError is what http.ResponseController asks. It returns http.ErrNotSupported.
func (*writer) FlushError() error { return http.ErrNotSupported }

// Hijack returns http.ErrNotSupported.
func (*writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, http.ErrNotSupported }

// Pusher returns nil.
func (*writer) Pusher() http.Pusher { return nil }

// CloseNotify returns a channel on which nothing comes: the handler goes on when its client hangs up.
func (*writer) CloseNotify() <-chan bool { return nil }

// sender is the writer through which answers are sent. gin keeps a status back until something is written; what is sent
// here is stored as it is, so that nobody further out may change it.
type sender struct{ gin.ResponseWriter }

// WriteHeader sends the header.
func (w sender) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status)
	w.ResponseWriter.WriteHeaderNow()
}
