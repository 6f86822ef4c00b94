package idem

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/idem-go/idem/backend"
)

// Kind is what a stored answer is.
type Kind uint8

// The kinds of answers.
const (
	KindValue     Kind = iota + 1 // the payload is a value of the call's codec
	KindError                     // the payload is an error that was kept
	KindTombstone                 // it was done; the payload is what the codec found worth keeping, if anything
)

// An answer travels to the store in an envelope, which is all that a store ever sees of it:
//
//	payload | name of the codec | its length (1) | kind (1) | version (1) | CRC-32C of all before (4, big endian)
//
// What is not payload stands at the end, so that a payload with room behind it need not be copied. The checksum finds
// bytes that were damaged or cut; it is no defence against somebody who can write to the store. Every later version must
// end in version and checksum too, so that damage is not taken for one of them.
type envelope struct {
	kind    Kind
	codec   string
	payload []byte
	room    bool // the capacity behind payload may be written to
}

const (
	envelopeVersion = 1
	maxCodecName    = 64
	envelopeTail    = 3 + crc32.Size // without the codec's name
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e envelope) seal() []byte {
	b := e.payload
	if !e.room {
		b = append(make([]byte, 0, len(b)+len(e.codec)+envelopeTail), b...)
	}
	b = append(b, e.codec...)
	b = append(b, byte(len(e.codec)), byte(e.kind), envelopeVersion)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// openEnvelope reads what seal wrote. The payload is a part of b, not a copy; nor is the codec's name one, where it is the
// expected.
func openEnvelope(b []byte, expected string) (envelope, error) {
	tail := len(b) - crc32.Size
	if tail < 1 {
		return envelope{}, fmt.Errorf("%w: the answer is cut short", backend.ErrCorrupt)
	}
	if binary.BigEndian.Uint32(b[tail:]) != crc32.Checksum(b[:tail], castagnoli) {
		return envelope{}, fmt.Errorf("%w: the answer's checksum is wrong", backend.ErrCorrupt)
	}
	if version := b[tail-1]; version != envelopeVersion {
		return envelope{}, fmt.Errorf("%w: the answer's envelope has version %d, this library reads %d", backend.ErrVersion, version, envelopeVersion)
	}
	if tail < 3 || tail-3 < int(b[tail-3]) {
		return envelope{}, fmt.Errorf("%w: the answer is cut short", backend.ErrCorrupt)
	}
	end := tail - 3 - int(b[tail-3])
	e := envelope{kind: Kind(b[tail-2]), codec: expected, payload: b[:end:end]}
	if name := b[end : tail-3]; string(name) != expected {
		e.codec = string(name)
	}
	if e.kind < KindValue || e.kind > KindTombstone {
		return envelope{}, fmt.Errorf("%w: the answer has the kind %d", backend.ErrVersion, e.kind)
	}
	return e, nil
}

// openFor reads an envelope for a call whose codec has the given name.
func openFor(codec string, b []byte) (envelope, error) {
	e, err := openEnvelope(b, codec)
	if err != nil {
		return envelope{}, err
	}
	if e.kind != KindError && e.codec != codec {
		return envelope{}, fmt.Errorf("%w: the answer was written by the codec %q, this call reads %q", backend.ErrVersion, e.codec, codec)
	}
	return e, nil
}
