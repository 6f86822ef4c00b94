package httpadapter

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// The grammar of an item of a structured field, RFC 9651, section 4.2. Each function reads one thing off the front of s
// and returns what follows it, or what is wrong, which is never a part of s.

// sfString reads a string (section 4.2.5). Without an escape in it the value is a part of s.
func sfString(s string) (value, rest, problem string) {
	var decoded strings.Builder
	start := 1 // of what is not yet in decoded
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if decoded.Len() == 0 {
				return s[start:i], s[i+1:], ""
			}
			decoded.WriteString(s[start:i])
			return decoded.String(), s[i+1:], ""
		case c == '\\':
			if i+1 == len(s) || s[i+1] != '"' && s[i+1] != '\\' {
				return "", "", "it has a backslash that escapes neither a quote nor a backslash"
			}
			decoded.WriteString(s[start:i])
			decoded.WriteByte(s[i+1])
			i++
			start = i + 1
		case c < ' ' || c > '~':
			return "", "", notPrintable
		}
	}
	return "", "", "its closing quote is missing"
}

const badParameter = "its parameters are malformed"

// sfParameters reads over parameters (section 4.2.3.2). They mean nothing to idem, but they must be well formed: what is
// not understood must not pass for a key.
func sfParameters(s string) (rest, problem string) {
	for strings.HasPrefix(s, ";") {
		s = strings.TrimLeft(s[1:], " ")
		name := span(s, isKeyByte)
		if name == 0 || !isLower(s[0]) && s[0] != '*' {
			return "", badParameter
		}
		if s = s[name:]; strings.HasPrefix(s, "=") {
			size := sfItem(s[1:])
			if size == 0 {
				return "", badParameter
			}
			s = s[1+size:]
		}
	}
	return s, ""
}

// sfItem returns how long the bare item (section 4.2.3.1) at the front of s is, or 0 if there is none.
func sfItem(s string) int {
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case c == '"':
		_, rest, problem := sfString(s)
		if problem != "" {
			return 0
		}
		return len(s) - len(rest)
	case c == '-' || isDigit(c):
		return sfNumber(s)
	case c == '*' || isLower(c|0x20):
		return span(s, isTokenByte)
	case c == ':':
		return sfBytes(s)
	case c == '?':
		if len(s) > 1 && (s[1] == '0' || s[1] == '1') {
			return 2
		}
	case c == '@':
		if size := sfNumber(s[1:]); size > 0 && !strings.Contains(s[1:1+size], ".") {
			return 1 + size
		}
	case c == '%':
		return sfDisplay(s)
	}
	return 0
}

// sfNumber is for integers and decimals (section 4.2.4): 15 digits, or 12 and then a point and 1 to 3.
func sfNumber(s string) int {
	digits := strings.TrimPrefix(s, "-")
	sign := len(s) - len(digits)
	whole := span(digits, isDigit)
	if whole == 0 || whole > 15 {
		return 0
	}
	if !strings.HasPrefix(digits[whole:], ".") {
		return sign + whole
	}
	fraction := span(digits[whole+1:], isDigit)
	if whole > 12 || fraction == 0 || fraction > 3 {
		return 0
	}
	return sign + whole + 1 + fraction
}

// sfBytes is for byte sequences (section 4.2.7).
func sfBytes(s string) int {
	encoded, _, closed := strings.Cut(s[1:], ":")
	if !closed {
		return 0
	}
	padding := base64.StdEncoding
	if len(encoded)%4 != 0 { // parsers should not fail where the padding is left out
		padding = base64.RawStdEncoding
	}
	if _, err := padding.DecodeString(encoded); err != nil || strings.ContainsAny(encoded, "\r\n") {
		return 0
	}
	return len(encoded) + 2
}

// sfDisplay is for display strings (section 4.2.10).
func sfDisplay(s string) int {
	if !strings.HasPrefix(s, `%"`) {
		return 0
	}
	var text []byte
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if !utf8.Valid(text) {
				return 0
			}
			return i + 1
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return 0
			}
			text = append(text, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		case c < ' ' || c > '~':
			return 0
		default:
			text = append(text, c)
		}
	}
	return 0
}

// span returns how many bytes at the front of s are of a kind.
func span(s string, of func(byte) bool) int {
	for i := range len(s) {
		if !of(s[i]) {
			return i
		}
	}
	return len(s)
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isLower(c byte) bool   { return c >= 'a' && c <= 'z' }
func isHex(c byte) bool     { return isDigit(c) || c >= 'a' && c <= 'f' }
func isKeyByte(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }

// isTokenByte is for what may stand in a token item, after its first byte.
func isTokenByte(c byte) bool { return isTchar(c) || c == ':' || c == '/' }

// isTchar is for what may stand in a token of HTTP, such as a method or the name of a header (RFC 9110, section 5.6.2).
func isTchar(c byte) bool {
	return isLower(c|0x20) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c - 'a' + 10
}
