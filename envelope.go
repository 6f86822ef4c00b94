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
//	version (1) | kind (1) | length of the codec's name (1) | name | payload | CRC-32C of all before (4, big endian)
//
// The checksum finds bytes that were damaged or cut; it is no defence against somebody who can write to the store.
type envelope struct {
	kind    Kind
	codec   string
	payload []byte
}

const (
	envelopeVersion = 1
	maxCodecName    = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e envelope) seal() []byte {
	b := make([]byte, 0, 3+len(e.codec)+len(e.payload)+crc32.Size)
	b = append(b, envelopeVersion, byte(e.kind), byte(len(e.codec)))
	b = append(b, e.codec...)
	b = append(b, e.payload...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// openEnvelope reads what seal wrote. The payload is a part of b, not a copy.
func openEnvelope(b []byte) (envelope, error) {
	if len(b) == 0 {
		return envelope{}, fmt.Errorf("%w: the answer is empty", backend.ErrCorrupt)
	}
	if b[0] != envelopeVersion {
		return envelope{}, fmt.Errorf("%w: the answer's envelope has version %d, this library reads %d", backend.ErrVersion, b[0], envelopeVersion)
	}
	body := len(b) - crc32.Size
	if body < 3 || body < 3+int(b[2]) {
		return envelope{}, fmt.Errorf("%w: the answer is cut short", backend.ErrCorrupt)
	}
	if binary.BigEndian.Uint32(b[body:]) != crc32.Checksum(b[:body], castagnoli) {
		return envelope{}, fmt.Errorf("%w: the answer's checksum is wrong", backend.ErrCorrupt)
	}
	name := 3 + int(b[2])
	e := envelope{kind: Kind(b[1]), codec: string(b[3:name]), payload: b[name:body:body]}
	if e.kind < KindValue || e.kind > KindTombstone {
		return envelope{}, fmt.Errorf("%w: the answer has the kind %d", backend.ErrVersion, b[1])
	}
	return e, nil
}

// openFor reads an envelope for a call whose codec has the given name.
func openFor(codec string, b []byte) (envelope, error) {
	e, err := openEnvelope(b)
	if err != nil {
		return envelope{}, err
	}
	if e.kind != KindError && e.codec != codec {
		return envelope{}, fmt.Errorf("%w: the answer was written by the codec %q, this call reads %q", backend.ErrVersion, e.codec, codec)
	}
	return e, nil
}
