package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"sync"
)

// Postgres is version 3 of PostgreSQL's protocol without TLS. A request is a simple query, or all messages of an
// extended one up to Sync. https://www.postgresql.org/docs/current/protocol-flow.html
var Postgres Protocol = postgresProtocol{}

type postgresProtocol struct{}

func (postgresProtocol) wire() wire { return &postgresWire{texts: map[string]string{}} }

type postgresWire struct {
	mu      sync.Mutex
	started bool              // the server has been ready once
	asked   bool              // the client has asked to start
	texts   map[string]string // of the prepared statements, by name
}

// The codes that stand where a protocol's version does, in a message that has no type.
const (
	postgresCancel = 80877102
	postgresTLS    = 80877103
	postgresGSS    = 80877104
)

// Commands that the proxy itself gives to requests whose answer is particular.
const (
	commandOrdinary = iota
	commandOneByte  // asks for encryption: the answer is one byte
)

func (w *postgresWire) read(from *bufio.Reader) ([]byte, Request, bool, error) {
	if !w.isStarted() {
		return w.readStart(from)
	}
	var raw []byte
	r := Request{Kind: Session}
	for {
		m, err := readPostgres(from)
		raw = append(raw, m...)
		if err != nil {
			return raw, r, false, err
		}
		switch body := m[5:]; m[0] {
		case 'Q':
			r.Kind, r.Text = Statement, cString(body)
			if r.Text == "-- ping" || r.Text == ";" || r.Text == "" {
				r.Kind = Session
			}
			return raw, r, true, nil
		case 'P':
			name := cString(body)
			r.Kind, r.Text = max(r.Kind, Prepare), cString(body[len(name)+1:])
			w.texts[name] = r.Text
		case 'B':
			portal := cString(body)
			r.Text = w.texts[cString(body[len(portal)+1:])]
		case 'E':
			r.Kind = Statement
		case 'S', 'F':
			return raw, r, true, nil
		case 'X', 'H', 'd', 'c', 'f': // the end, a flush, and the data of a COPY
			return raw, Request{Kind: Session}, false, nil
		}
	}
}

func (w *postgresWire) isStarted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

// readStart reads a message of the time before the server is ready for the first time.
func (w *postgresWire) readStart(from *bufio.Reader) ([]byte, Request, bool, error) {
	r := Request{Kind: Session}
	if w.asked {
		m, err := readPostgres(from)
		return m, r, false, err // a password, which belongs to the start
	}
	raw, err := readCounted(from, nil)
	if err != nil || len(raw) < 8 {
		return raw, r, false, err
	}
	switch binary.BigEndian.Uint32(raw[4:]) {
	case postgresCancel:
		return raw, r, false, nil
	case postgresTLS, postgresGSS:
		r.command = commandOneByte
		return raw, r, true, nil
	}
	w.asked = true
	return raw, r, true, nil
}

func (w *postgresWire) answer(from *bufio.Reader, r *Request) (raw []byte, last, stray bool, err error) {
	if r != nil && r.command == commandOneByte {
		one, err := from.ReadByte()
		return []byte{one}, true, false, err
	}
	raw, err = readPostgres(from)
	if err != nil {
		return raw, false, false, err
	}
	switch raw[0] {
	case 'Z':
		w.mu.Lock()
		w.started = true
		w.mu.Unlock()
		return raw, true, false, nil
	case 'A': // a notification
		return raw, false, true, nil
	}
	return raw, false, r == nil, nil
}

// readPostgres reads a message: its type, its length without the type, and the rest.
func readPostgres(from *bufio.Reader) ([]byte, error) {
	kind, err := from.ReadByte()
	if err != nil {
		return nil, err
	}
	return readCounted(from, []byte{kind})
}

// readCounted reads four bytes, which count themselves and what follows, and appends all to raw.
func readCounted(from *bufio.Reader, raw []byte) ([]byte, error) {
	raw, err := readMore(from, raw, 4)
	if err != nil {
		return raw, err
	}
	size := binary.BigEndian.Uint32(raw[len(raw)-4:])
	if size < 4 {
		return raw, io.ErrUnexpectedEOF
	}
	return readMore(from, raw, int(size)-4)
}

// readMore reads n bytes and appends them to raw; fewer with an error.
func readMore(from *bufio.Reader, raw []byte, n int) ([]byte, error) {
	begin := len(raw)
	raw = append(raw, make([]byte, n)...)
	got, err := io.ReadFull(from, raw[begin:])
	return raw[:begin+got], err
}

// cString is what comes before the first zero byte.
func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}
