package proxy

import (
	"bufio"
	"strings"
)

// Kind says what a request is for.
type Kind int

// The kinds. What a driver sends on its own account, when it pleases, is none of a Statement.
const (
	Session   Kind = iota + 1 // sets a connection up, looks whether it is alive, or closes something
	Prepare                   // prepares a statement and does not run it
	Statement                 // runs something
)

// String returns the kind's name.
func (k Kind) String() string {
	return [...]string{"none", "session", "prepare", "statement"}[k]
}

// Request is what a client sends and waits for the answer of.
type Request struct {
	Conn int // the number of the connection, from 1
	Kind Kind
	// Silent says that no answer of its own will come: the client says that it goes, or more of what it said before.
	Silent bool
	Text   string // the statement; of one that was prepared, the text that it was prepared from; a Redis command with its arguments

	command byte // the protocol's own
}

// Is reports whether the request is a statement of exactly this text, in any case of letters: COMMIT.
func (r Request) Is(text string) bool {
	return r.Kind == Statement && strings.EqualFold(strings.TrimSpace(r.Text), text)
}

// Containing returns a condition that is true for a statement whose text contains part.
func Containing(part string) func(Request) bool {
	return func(r Request) bool { return r.Kind == Statement && strings.Contains(r.Text, part) }
}

// Any is a condition that is true for every request that is answered.
func Any(r Request) bool { return !r.Silent }

// Protocol is a protocol of clients and servers.
type Protocol interface {
	// wire returns the state of a new connection.
	wire() wire
}

// wire knows the messages of one connection. read and answer are called by a goroutine each, and see whatever the other
// has seen before what they are called for could come.
type wire interface {
	// read returns the client's next message, or messages where they make sense together alone. Where answered is
	// false no answer of its own will come: the message belongs to the request before it, or is none.
	read(from *bufio.Reader) (raw []byte, r Request, answered bool, err error)

	// answer returns the server's next message. r is the request that is to be answered next, nil if there is none.
	// Where last is true the message ends its answer. stray says that the message answers nothing.
	answer(from *bufio.Reader, r *Request) (raw []byte, last, stray bool, err error)
}
