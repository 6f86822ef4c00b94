package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"sync"
)

// MySQL is the protocol of MySQL and MariaDB, without TLS and compression, and without LOAD DATA LOCAL. A request is a
// command. https://mariadb.com/kb/en/clientserver-protocol/
var MySQL Protocol = mysqlProtocol{}

type mysqlProtocol struct{}

func (mysqlProtocol) wire() wire { return &mysqlWire{texts: map[uint32]string{}} }

type mysqlWire struct {
	mu           sync.Mutex
	asked        bool // the client has answered the server's greeting
	ready        bool // the server has let it in
	serverCaps   uint32
	serverExtras uint32 // MariaDB's own
	caps         uint32 // of both
	extras       uint32
	texts        map[uint32]string // of the prepared statements
	reply        mysqlReply
}

// Capabilities.
const (
	mysqlItself       = 1 << 0 // not MariaDB, which has extras
	mysqlDeprecateEOF = 1 << 24
	mysqlCacheColumns = 1 << 4 // of the extras: columns come only when they have changed
)

// Commands.
const (
	mysqlQuit        = 0x01
	mysqlQuery       = 0x03
	mysqlPrepare     = 0x16
	mysqlExecute     = 0x17
	mysqlLongData    = 0x18
	mysqlCloseStmt   = 0x19
	mysqlFetch       = 0x1c
	mysqlHandshaking = 0xff // not one of the protocol
)

func (w *mysqlWire) read(from *bufio.Reader) ([]byte, Request, bool, error) {
	raw, body, err := readPackets(from)
	r := Request{Kind: Session}
	if err != nil || len(body) == 0 {
		return raw, r, false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready {
		if w.asked {
			return raw, r, false, nil // more of what the server wants to know before it lets the client in
		}
		w.asked, r.command = true, mysqlHandshaking
		w.agree(body)
		return raw, r, true, nil
	}
	r.command = body[0]
	switch r.command {
	case mysqlQuery:
		r.Kind, r.Text = Statement, string(body[1:])
	case mysqlPrepare:
		r.Kind, r.Text = Prepare, string(body[1:])
	case mysqlExecute, mysqlFetch:
		r.Kind, r.Text = Statement, w.texts[statementID(body[1:])]
	case mysqlQuit, mysqlLongData, mysqlCloseStmt:
		return raw, r, false, nil
	}
	return raw, r, true, nil
}

// agree takes in the client's answer to the greeting.
func (w *mysqlWire) agree(body []byte) {
	if len(body) < 32 {
		return
	}
	w.caps = binary.LittleEndian.Uint32(body) & w.serverCaps
	w.extras = binary.LittleEndian.Uint32(body[28:]) & w.serverExtras
}

// greet takes in the server's greeting.
func (w *mysqlWire) greet(body []byte) {
	version := bytes.IndexByte(body, 0)
	caps := version + 1 + 4 + 8 + 1 // after the connection's number and a part of the challenge
	if version < 0 || len(body) < caps+18 {
		return
	}
	w.serverCaps = uint32(binary.LittleEndian.Uint16(body[caps:])) | uint32(binary.LittleEndian.Uint16(body[caps+5:]))<<16
	if w.serverCaps&mysqlItself == 0 {
		w.serverExtras = binary.LittleEndian.Uint32(body[caps+14:])
	}
}

func (w *mysqlWire) answer(from *bufio.Reader, r *Request) (raw []byte, last, stray bool, err error) {
	raw, body, err := readPackets(from)
	if err != nil || len(body) == 0 {
		return raw, false, r == nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case r == nil: // the greeting, or that the server goes away
		if !w.asked {
			w.greet(body)
		}
		return raw, false, true, nil
	case r.command == mysqlHandshaking:
		w.ready = body[0] == mysqlOK
		return raw, w.ready || body[0] == mysqlError, false, nil
	case w.reply.state == nil:
		w.reply.begin(r.command, w.caps, w.extras)
	}
	last = w.reply.take(body)
	if last && w.reply.prepared != 0 {
		w.texts[w.reply.prepared] = r.Text
	}
	return raw, last, false, nil
}

// readPackets reads a packet, or all that are one because it is too large. body is what is in them.
func readPackets(from *bufio.Reader) (raw, body []byte, err error) {
	for {
		begin := len(raw)
		if raw, err = readMore(from, raw, 4); err != nil {
			return raw, nil, err
		}
		h := raw[begin:]
		size := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
		if raw, err = readMore(from, raw, size); err != nil {
			return raw, nil, err
		}
		body = append(body, raw[begin+4:]...)
		if size < 1<<24-1 {
			return raw, body, nil
		}
	}
}

func statementID(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}
