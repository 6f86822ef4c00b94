package backend

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID is the identity of a record: a SHA-256 over guard, user and key. Stores keep these 32 raw bytes and nothing else
// as the key, so that no collation, length limit or character set can merge two records or split one.
type ID [32]byte

// NewID returns the identity of (guard, user, key). Every field is prefixed by its length, so no two triples share one
// input. It is a pure function and safe for concurrent use.
func NewID(guard, user, key string) ID {
	// As digest does it, for strings: one that took both would have the parts of every fingerprint allocated.
	var room [hashedAtOnce]byte
	buf := appendField(room[:0], "idem/id/v1")
	buf = appendField(appendField(appendField(buf, guard), user), key)
	return sha256.Sum256(buf)
}

// Short returns the first 8 hexadecimal digits, the only part of a record's identity that may be shown: in events,
// logs and errors.
func (id ID) Short() string { return hex.EncodeToString(id[:4]) }

// String is Short, so that an ID which slips into a log shows no more than it may.
func (id ID) String() string { return id.Short() }

// GoString is Short, as String is.
func (id ID) GoString() string { return id.Short() }

// Fingerprint tells whether two requests are the same request: the version of the scheme, then a SHA-256.
// The first byte is part of the comparison.
type Fingerprint [33]byte

// FingerprintVersion is the first byte of every fingerprint that NewFingerprint makes.
const FingerprintVersion = 1

// NewFingerprint returns the fingerprint of parts, each prefixed by its length: ("a", "bc") and ("ab", "c") differ.
// It is a pure function and safe for concurrent use.
func NewFingerprint(parts ...[]byte) Fingerprint {
	var fp Fingerprint
	fp[0] = FingerprintVersion
	sum := digest("idem/fp/v1", parts...)
	copy(fp[1:], sum[:])
	return fp
}

// digest is the one way in which this module hashes several fields, NewID's own included: a domain, then each field after
// its length.
func digest(domain string, parts ...[]byte) [sha256.Size]byte {
	size := 8 + len(domain)
	for _, p := range parts {
		size += 8 + len(p)
	}
	var room [hashedAtOnce]byte
	if size > len(room) {
		return digestStream(domain, parts...)
	}
	buf := appendField(room[:0], domain)
	for _, p := range parts {
		buf = appendField(buf, p)
	}
	return sha256.Sum256(buf)
}

func appendField[T string | []byte](buf []byte, p T) []byte {
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(p)))
	return append(buf, p...)
}

// hashedAtOnce is up to how many bytes the fields are put together on the stack: an identity of three long names fits.
const hashedAtOnce = 1 << 10

// digestStream is digest for what is large: nothing is copied.
func digestStream(domain string, parts ...[]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	field := func(p []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	field([]byte(domain))
	for _, p := range parts {
		field(p)
	}
	h.Sum(sum[:0])
	return sum
}
