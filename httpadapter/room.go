package httpadapter

import "sync"

// room is what an exchange needs for as long as it lasts and nobody else ever holds: it waits for the next exchange then.
// A handler may keep its writer, its request and its context for as long as it likes; none of them gives a part of this
// away.
type room struct {
	in    []byte  // the request's body, as long as it is compared and the handler may read it
	out   []byte  // the answer's body, and behind it what else is stored
	canon []byte  // the canonical form of in
	lines []field // the answer's header
}

const (
	smallRoom = 1 << 10  // what a new room has of each kind of bytes
	largeRoom = 64 << 10 // what is larger does not wait for the next exchange
	blockRoom = 128      // is kept free behind a body, for what is stored behind it
	manyLines = 64       // as largeRoom, for the lines of a header
)

var rooms = sync.Pool{New: func() any {
	return &room{
		in: make([]byte, 0, smallRoom), out: make([]byte, 0, smallRoom), canon: make([]byte, 0, smallRoom),
		lines: make([]field, 0, 8),
	}
}}

// leave gives the room to the next exchange.
func (rm *room) leave() {
	rm.in, rm.out, rm.canon = kept(rm.in), kept(rm.out), kept(rm.canon)
	clear(rm.lines)
	rm.lines = rm.lines[:0]
	if cap(rm.lines) > manyLines {
		rm.lines = nil
	}
	rooms.Put(rm)
}

func kept(b []byte) []byte {
	if cap(b) > largeRoom {
		return nil
	}
	return b[:0]
}
