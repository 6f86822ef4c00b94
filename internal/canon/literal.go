package canon

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// plain holds the bytes that a JSON string holds as they are. The text is known to be UTF-8.
var plain = func() (t [256]bool) {
	for c := ' '; c <= 255; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// plainRun returns how many bytes at the front of s are plain. It takes eight at a time.
func plainRun(s []byte) (n int) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; n+8 <= len(s); n += 8 {
		w := binary.LittleEndian.Uint64(s[n:])
		quote, slash := w^ones*'"', w^ones*'\\'
		// A byte is zero if taking one away sets its top bit, which was not set: and so for those below a space. What is
		// taken away from a byte that has too little is missed in those above it only, so the lowest is told rightly.
		if special := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & tops; special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for n < len(s) && plain[s[n]] {
		n++
	}
	return n
}

// text reads a string, from its opening quote on.
func (r *reader) text() bool {
	src, from, i := r.src, r.pos, r.pos+1
	for {
		i += plainRun(src[i:])
		if i == len(src) {
			return false
		}
		switch src[i] {
		case '"':
			r.out = append(r.out, src[from:i+1]...)
			r.pos = i + 1
			return true
		case '\\':
			r.out = append(r.out, src[from:i]...)
			n := r.escape(src[i+1:])
			if n == 0 {
				return false
			}
			i += 1 + n
			from = i
		default:
			return false
		}
	}
}

// escape reads what follows a backslash and returns how many bytes that was; 0 if it is not an escape.
func (r *reader) escape(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	switch s[0] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		r.out = append(r.out, '\\', s[0])
		return 1
	case '/':
		r.out = append(r.out, '/')
		return 1
	case 'u':
		return r.unicode(s)
	}
	return 0
}

// unicode reads uXXXX, or uXXXX\uXXXX where that is one character.
func (r *reader) unicode(s []byte) int {
	c, ok := fourHex(s)
	if !ok {
		return 0
	}
	if !utf16.IsSurrogate(c) {
		r.char(c)
		return 5
	}
	if len(s) > 6 && s[5] == '\\' {
		low, _ := fourHex(s[6:])
		if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
			r.out = utf8.AppendRune(r.out, pair)
			return 11
		}
	}
	r.out = append(r.out, '\\', 'u', hexDigits[c>>12], hexDigits[c>>8&15], hexDigits[c>>4&15], hexDigits[c&15])
	return 5
}

const hexDigits = "0123456789abcdef"

// fourHex reads uXXXX.
func fourHex(s []byte) (rune, bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	var c rune
	for _, d := range s[1:5] {
		switch {
		case '0' <= d && d <= '9':
			c = c<<4 | rune(d-'0')
		case 'a' <= d|0x20 && d|0x20 <= 'f':
			c = c<<4 | rune(d|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return c, true
}

// char writes an unescaped character the one way in which it is written.
func (r *reader) char(c rune) {
	switch c {
	case '"', '\\':
		r.out = append(r.out, '\\', byte(c))
	case '\b':
		r.out = append(r.out, `\b`...)
	case '\f':
		r.out = append(r.out, `\f`...)
	case '\n':
		r.out = append(r.out, `\n`...)
	case '\r':
		r.out = append(r.out, `\r`...)
	case '\t':
		r.out = append(r.out, `\t`...)
	default:
		if c < ' ' {
			r.out = append(r.out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			return
		}
		r.out = utf8.AppendRune(r.out, c)
	}
}

// number reads a number and keeps it as it is written.
func (r *reader) number() bool {
	src, i := r.src, r.pos
	if i < len(src) && src[i] == '-' {
		i++
	}
	switch {
	case i < len(src) && src[i] == '0':
		i++
	default:
		var ok bool
		if i, ok = digits(src, i); !ok {
			return false
		}
	}
	if i < len(src) && src[i] == '.' {
		var ok bool
		if i, ok = digits(src, i+1); !ok {
			return false
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		var ok bool
		if i, ok = digits(src, i); !ok {
			return false
		}
	}
	r.out = append(r.out, src[r.pos:i]...)
	r.pos = i
	return true
}

// digits skips digits and reports whether there was one.
func digits(src []byte, i int) (int, bool) {
	from := i
	for i < len(src) && '0' <= src[i] && src[i] <= '9' {
		i++
	}
	return i, i > from
}

// word reads true, false or null.
func (r *reader) word(w string) bool {
	end := r.pos + len(w)
	if end > len(r.src) || string(r.src[r.pos:end]) != w {
		return false
	}
	r.pos = end
	r.out = append(r.out, w...)
	return true
}
