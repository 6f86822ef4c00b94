package httpadapter

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ErrHandlerReturned is what a write gets that comes after the handler returned, from a goroutine that it left behind.
var ErrHandlerReturned = errors.New("httpadapter: write after the handler returned")

// recorder is the writer that a guarded handler gets. It keeps everything until the answer is stored, and follows
// net/http in what counts as written. A body that is too large to be stored goes to a file.
//
// It has none of the optional methods of a ResponseWriter and no Unwrap: a flush that reached the client would tell it
// of an answer that is not stored yet. http.ResponseController says ErrNotSupported.
type recorder struct {
	mu     sync.Mutex
	header http.Header // the handler's, and read by nobody else once the status is written
	status int         // 0 until then
	fields []field     // the header as it was then
	hidden []string    // names that were set to no value, which keeps net/http from adding one
	body   []byte      // as long as it fits into limit; then what is not in the spool yet
	limit  int
	spool  spool
	fault  error // why the body is not whole
	closed bool  // nothing is written any more

	finished bool // closed by finish: known to whoever ran the handler, without the lock
}

// field is one line of a header.
type field struct{ name, value string }

// begin makes the recorder ready. A handler sees what was put into the header further out, as it would without us.
// What does not fit into limit goes to a spool like that one. Body and lines are put into the room, if there is one.
func (rec *recorder) begin(outer http.Header, limit int, to spool, rm *room) {
	rec.limit, rec.spool = limit, to
	if rm != nil {
		rec.body, rec.fields = rm.out[:0], rm.lines[:0]
	}
	rec.header = make(http.Header, len(outer)+4)
	for name, values := range outer {
		rec.header[name] = slices.Clone(values)
	}
}

// Header returns the header that the handler fills. Changes after the status was written have no effect.
func (rec *recorder) Header() http.Header { return rec.header }

// WriteHeader takes the first final status. Informational ones (1xx) are dropped: nothing is sent before the answer is
// stored. It panics on a status that cannot be sent, as net/http does.
func (rec *recorder) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("httpadapter: invalid WriteHeader code %d", status))
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if status >= 200 && !rec.closed {
		rec.writeHeader(status)
	}
}

func (rec *recorder) writeHeader(status int) {
	if rec.status != 0 {
		return
	}
	rec.status = status
	for name, values := range rec.header {
		if !forwarded(name) {
			continue
		}
		if len(values) == 0 {
			rec.hidden = append(rec.hidden, name)
		}
		for _, v := range values {
			rec.fields = append(rec.fields, field{name, v})
		}
	}
}

// forwarded is false for what says how an answer travels, which whoever sends it decides. An answer with a known length
// has no trailers.
func forwarded(name string) bool {
	return name != "Transfer-Encoding" && name != "Trailer" && !strings.HasPrefix(name, http.TrailerPrefix)
}

// Write keeps a copy of p.
func (rec *recorder) Write(p []byte) (int, error) { return record(rec, p) }

// WriteString is Write without a conversion.
func (rec *recorder) WriteString(s string) (int, error) { return record(rec, s) }

func record[T string | []byte](rec *recorder, p T) (n int, err error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if err := rec.writable(len(p)); err != nil {
		return 0, err
	}
	if size := min(len(p), rec.limit) + blockRoom; len(rec.body) == 0 && size > cap(rec.body) {
		rec.body = make([]byte, 0, size)
	}
	for n < len(p) {
		if len(rec.body) == rec.limit {
			if err := rec.spill(); err != nil {
				return n, err
			}
		}
		part := p[n:min(len(p), n+rec.limit-len(rec.body))]
		rec.body = append(rec.body, part...)
		n += len(part)
	}
	return n, nil
}

func (rec *recorder) writable(size int) error {
	if rec.closed {
		return ErrHandlerReturned
	}
	rec.writeHeader(http.StatusOK)
	if size > 0 && !hasBody(rec.status) {
		return http.ErrBodyNotAllowed
	}
	return rec.fault
}

// spill moves what is in memory to the spool. Where that fails the answer is given up: a part of it is none.
func (rec *recorder) spill() error {
	if rec.spool.size == 0 {
		rec.guessType() // while the beginning is still here
	}
	if rec.fault = rec.spool.write(rec.body); rec.fault != nil {
		rec.spool.close()
	}
	rec.body = rec.body[:0]
	return rec.fault
}

// hasBody says whether an answer with this status has a body (RFC 9110, section 6.4.1).
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// finish ends the recording.
func (rec *recorder) finish() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.closed {
		return
	}
	rec.finished = true
	rec.writeHeader(http.StatusOK)
	switch {
	case rec.fault != nil:
	case rec.spooled():
		_ = rec.spill() // the fault stays
	default:
		rec.guessType()
	}
	rec.closed = true
}

// guessType sets the content type that net/http would guess, so that replays have the same.
func (rec *recorder) guessType() {
	if len(rec.body) > 0 && !rec.named("Content-Type") && !rec.named("Content-Encoding") {
		rec.fields = append(rec.fields, field{"Content-Type", http.DetectContentType(rec.body)})
	}
}

func (rec *recorder) named(name string) bool {
	is := func(f field) bool { return f.name == name }
	return slices.ContainsFunc(rec.fields, is) || slices.Contains(rec.hidden, name)
}

// spooled reports whether the body is, or was, too large for memory and so for the store.
func (rec *recorder) spooled() bool { return rec.spool.size > 0 || rec.fault != nil }

// deliver sends what was recorded. An error of the writer means that the client is gone; the answer is stored, so a
// retry gets it. An error of the spool cuts the answer short of its announced length, which every client notices.
func (rec *recorder) deliver(w http.ResponseWriter, method string, room []string) {
	l := rec.deliverHeader(w, room)
	if !rec.spooled() {
		l.send(w, method, rec.status, rec.body)
		return
	}
	l.add("Content-Length", strconv.FormatInt(rec.spool.size, 10))
	w.WriteHeader(rec.status)
	if method != http.MethodHead {
		_ = rec.spool.sendTo(w)
	}
}

// deliverHeader puts the header in place and sends nothing. The values of its lines stand in room where that is enough.
func (rec *recorder) deliverHeader(w http.ResponseWriter, room []string) lines {
	h := w.Header()
	clear(h)
	l := lines{header: h, values: room}
	for _, f := range rec.fields {
		l.add(f.name, f.value)
	}
	for _, name := range rec.hidden {
		h[name] = nil
	}
	return l
}

// discard ends the recording, whatever became of it, and removes the spool.
func (rec *recorder) discard() {
	if !rec.finished {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.closed = true
	}
	rec.spool.close()
}
