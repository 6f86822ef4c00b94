package idem

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Key is what the client sent to name an attempt: 1 to 255 bytes of valid UTF-8 without control characters. Keys are
// compared byte for byte; nothing is trimmed, folded or normalised.
type Key string

// User says whose key it is: an account, tenant or principal. Never empty, 1 to 255 bytes like a Key. Use an id that
// is never given to somebody else, not an e-mail address: whoever inherits the user inherits the answers.
type User string

// maxName is the most bytes that a key or a user may have.
const maxName = 255

// Scope joins parts, such as a tenant and a user inside it, into one User. Every part is prefixed by its length, so
// Scope("a", "bc") is not Scope("ab", "c"). Where a part is empty, or there is none, the result is empty and a call
// with it fails with ErrMissingUser: a forgotten tenant must not become a scope that many share.
func Scope(parts ...string) User {
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			return ""
		}
		b.WriteString(strconv.Itoa(len(p)))
		b.WriteByte(':')
		b.WriteString(p)
		b.WriteByte(',')
	}
	return User(b.String())
}

// Check returns ErrMissingKey or ErrInvalidKey with the reason why the key cannot be used, or nil. Every call checks its
// key; adapters may do so earlier. The error never repeats the key.
func (k Key) Check() error {
	if k == "" {
		return ErrMissingKey
	}
	if reason := badName(string(k)); reason != "" {
		return fmt.Errorf("%w: %s", ErrInvalidKey, reason)
	}
	return nil
}

// Check returns ErrMissingUser or ErrInvalidUser with the reason why the user cannot be used, or nil. Every call checks
// its user; adapters may do so earlier. The error never repeats the user.
func (u User) Check() error {
	if u == "" {
		return ErrMissingUser
	}
	if reason := badName(string(u)); reason != "" {
		return fmt.Errorf("%w: %s", ErrInvalidUser, reason)
	}
	return nil
}

func badName(s string) string {
	if len(s) > maxName {
		return fmt.Sprintf("it has %d bytes, the most is %d", len(s), maxName)
	}
	ascii := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			ascii = false
			break
		}
	}
	switch {
	case ascii:
		return ""
	case !utf8.ValidString(s):
		return "it is not valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "it has a control character"
	}
	return ""
}

// KeyPolicy adds a rule for keys to a guard. It runs after the syntax of the key was checked; its error comes out
// wrapped by ErrInvalidKey. The text of the error is shown to clients, so it must not repeat the key. The policy may be
// called concurrently.
func KeyPolicy(policy func(Key) error) GuardOption {
	return guardOption(func(g *Guard) error {
		if policy == nil {
			return optionError("KeyPolicy", "the function is nil")
		}
		g.policy = policy
		return nil
	})
}

// UUIDKeys is a KeyPolicy that takes UUIDs in their canonical text form only (RFC 9562, section 4), in either case.
func UUIDKeys(k Key) error {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(k) != len(form) {
		return errNotUUID
	}
	for i := range len(form) {
		if dash := form[i] == '-'; dash != (k[i] == '-') || !dash && !hexDigit(k[i]) {
			return errNotUUID
		}
	}
	return nil
}

var errNotUUID = errors.New("it is not a UUID (8-4-4-4-12 hexadecimal digits)")

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// MinLength returns a KeyPolicy that refuses keys of fewer than n bytes, which clients may pick twice by accident.
func MinLength(n int) func(Key) error {
	return func(k Key) error {
		if len(k) < n {
			return fmt.Errorf("it has %d bytes, the least is %d", len(k), n)
		}
		return nil
	}
}
