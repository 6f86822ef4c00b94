package canon

import (
	"cmp"
	"unicode"
	"unicode/utf8"
)

// compareNames compares the names of two members without regard to case: names that differ in case alone are equal. To
// encoding/json, and to readers like it, they are one field, whose value is that of the last.
func compareNames(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x|y >= utf8.RuneSelf {
			return compareRunes(a[i:], b[i:])
		}
		if x != y && upper(x) != upper(y) {
			return cmp.Compare(upper(x), upper(y))
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareRunes(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		x, atX := utf8.DecodeRune(a)
		y, atY := utf8.DecodeRune(b)
		if x, y = smallest(x), smallest(y); x != y {
			return cmp.Compare(x, y)
		}
		a, b = a[atX:], b[atY:]
	}
	return cmp.Compare(len(a), len(b))
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// smallest returns the smallest of the characters that differ from r in case alone: it goes up the circle that
// unicode.SimpleFold makes of them, to where it begins again. Of ASCII letters that is the capital.
func smallest(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
