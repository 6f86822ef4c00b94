package httpadapter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/idem-go/idem"
)

// codecName names the format of a stored answer. A changed format needs a new name.
//
//	body | block | length of the block (4 bytes, big endian)
//
// The block holds, each number as an unsigned varint: the status, the number of header lines and for each line the
// length of its name, the name, the length of its value, the value. It stands behind the body so that a recorder can
// write the body where it is stored, and so that the end of an answer alone is an answer without a body: its tombstone.
const codecName = "http/1"

const (
	maxTombstone = 4 << 10 // what idem.Answer allows
	lengthSize   = 4
)

// encode returns what is stored of a recorded answer, and its tombstone. The headers are those in replayed.
func (rec *recorder) encode(replayed headerSet) (payload, tombstone []byte) {
	payload = appendBlock(rec.body, rec.status, rec.fields, replayed)
	rec.body = payload[:len(rec.body)] // which may have moved
	if tombstone = payload[len(rec.body):]; len(tombstone) > maxTombstone {
		tombstone = rec.tombstone(locationOnly)
	}
	return payload, tombstone
}

// tombstone is what is stored of an answer whose body is not.
func (rec *recorder) tombstone(replayed headerSet) []byte {
	b := appendBlock(nil, rec.status, rec.fields, replayed)
	if len(b) > maxTombstone {
		b = appendBlock(nil, rec.status, rec.fields, locationOnly)
	}
	if len(b) > maxTombstone {
		b = appendBlock(nil, rec.status, nil, nil)
	}
	return b
}

var locationOnly = setOf("Location")

func appendBlock(b []byte, status int, fields []field, replayed headerSet) []byte {
	start := len(b)
	b = binary.AppendUvarint(b, uint64(status))
	count, at := 0, len(b)
	b = append(b, 0) // the count, which is seldom more than a byte
	for _, f := range fields {
		if replayed.has(f.name) {
			b = appendText(appendText(b, f.name), f.value)
			count++
		}
	}
	if count < 0x80 {
		b[at] = byte(count)
	} else {
		b = slices.Replace(b, at, at+1, binary.AppendUvarint(nil, uint64(count))...)
	}
	return binary.BigEndian.AppendUint32(b, uint32(len(b)-start))
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// answer is a stored answer. Its body is a part of what was decoded.
type answer struct {
	status int
	count  int
	fields block // of a block that was found to be in order
	body   []byte
}

var errBadAnswer = errors.New("the recorded exchange is malformed")

// decode reads what encode wrote. Any bytes are safe to give to it.
func decode(payload []byte) (answer, error) {
	a, ok := parse(payload)
	if !ok {
		return answer{}, fmt.Errorf("%w: %w", idem.ErrCorrupt, errBadAnswer)
	}
	return a, nil
}

func parse(payload []byte) (a answer, ok bool) {
	end := len(payload) - lengthSize
	if end < 0 {
		return a, false
	}
	size := binary.BigEndian.Uint32(payload[end:])
	if uint64(size) > uint64(end) {
		return a, false
	}
	start := end - int(size)
	b := block{rest: string(payload[start:end])} // the one copy of all names and values
	status, count := b.number(), b.number()
	if status < 200 || status > 999 {
		return a, false
	}
	a = answer{status: int(status), count: int(count), fields: b, body: payload[:start:start]}
	for range a.count {
		b.text()
		b.text()
		if b.bad {
			return a, false // at once, since count may be any number
		}
	}
	return a, !b.bad && b.rest == "" && (hasBody(a.status) || len(a.body) == 0)
}

// each yields the lines of the header.
func (a answer) each(yield func(name, value string) bool) {
	b := a.fields
	for range a.count {
		if name, value := b.text(), b.text(); !yield(name, value) {
			return
		}
	}
}

// value returns the first value of a header.
func (a answer) value(name string) (value string, found bool) {
	for n, v := range a.each {
		if n == name {
			return v, true
		}
	}
	return "", false
}

// replay sends the stored answer as it was, with those of its headers that are replayed now.
func (a answer) replay(w http.ResponseWriter, method string, replayed headerSet, room []string) {
	l := lines{header: w.Header(), values: room}
	cached, typed := false, false
	for name, value := range a.each {
		cached, typed = cached || name == "Cache-Control", typed || name == "Content-Type"
		if replayed.has(name) {
			l.add(name, value)
		}
	}
	if !cached {
		l.add("Cache-Control", "no-store")
	}
	if !typed {
		l.header["Content-Type"] = nil // the first answer had none, so net/http must not guess
	}
	l.add(replayedHeader, "true")
	l.send(w, method, a.status, a.body)
}

// block is what is left to read of a block. Once something did not fit it is bad, and empty.
type block struct {
	rest string
	bad  bool
}

func (b *block) number() uint64 {
	var n uint64
	for i := 0; i < len(b.rest) && i < binary.MaxVarintLen32; i++ {
		c := b.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			b.rest = b.rest[i+1:]
			return n
		}
	}
	b.rest, b.bad = "", true
	return 0
}

func (b *block) text() string {
	size := b.number()
	if size > uint64(len(b.rest)) {
		b.rest, b.bad = "", true
		return ""
	}
	text := b.rest[:size]
	b.rest = b.rest[size:]
	return text
}
