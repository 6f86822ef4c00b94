package backend

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Token is the fencing token of one attempt: 128 random bits, made before the claim is sent and never used again.
// A counter that restarts with its record is not a token, since an old owner would match a new claim.
type Token [16]byte

// NewToken returns a fresh token from crypto/rand. It is safe for concurrent use.
func NewToken() Token {
	var t Token
	_, _ = rand.Read(t[:]) // never fails: crypto/rand ends the process rather than return an error (Go 1.24)
	return t
}

// String hides the token: whoever knows it may write to the record.
func (Token) String() string { return "(token)" }

// Format hides the token as String does, from every verb of package fmt.
func (t Token) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) }

// MarshalText fails, so that no token gets into what is written as JSON, be it a log. A store writes the bytes.
func (Token) MarshalText() ([]byte, error) {
	return nil, errors.New("backend: a token is not written as text: whoever knows it may write to the record")
}

// Ref points at one claim of one record, so that an operator who was shown a record acts on that one and not on a
// later one under the same key. It holds the identity and a hash of the token, never the token.
// The zero Ref points at nothing. Ref is comparable.
type Ref struct {
	id    ID
	proof [16]byte
}

// NewRef returns the reference to the claim that token made on id.
func NewRef(id ID, token Token) Ref {
	sum := digest("idem/ref/v1", id[:], token[:])
	return Ref{id: id, proof: [16]byte(sum[:16])}
}

// ID returns the identity of the record that r points at.
func (r Ref) ID() ID { return r.id }

// IsZero reports whether r points at nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Matches reports whether r points at the claim that token made on r's record. Stores call it on the token that they
// have read, and then write under that token.
func (r Ref) Matches(token Token) bool {
	want := NewRef(r.id, token)
	return subtle.ConstantTimeCompare(want.proof[:], r.proof[:]) == 1
}

// String returns the text form that ParseRef reads: 64 characters of URL-safe base64.
func (r Ref) String() string {
	return base64.RawURLEncoding.EncodeToString(append(r.id[:], r.proof[:]...))
}

// ParseRef reads what Ref.String wrote. The text of a malformed reference is not part of the error.
func ParseRef(text string) (Ref, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != sha256.Size+16 {
		return Ref{}, errors.New("backend: not a record reference: expected the 64 characters that a listing shows")
	}
	var r Ref
	copy(r.id[:], raw)
	copy(r.proof[:], raw[sha256.Size:])
	return r, nil
}
