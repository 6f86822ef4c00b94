package httpadapter

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/idem-go/idem"
)

// DefaultHeader is the name of the request header that carries the key.
const DefaultHeader = "Idempotency-Key"

// maxKey is the most bytes that a key has, once it is decoded.
const maxKey = 255

// KeyOf returns the key that r carries in its Idempotency-Key header, for handlers that call idem.Do or idem.DoTx
// themselves. It takes what the middleware takes without the option Strict: a quoted string, as the draft has it, or the
// bare value.
//
// Errors: idem.ErrMissingKey where there is no such header, else idem.ErrInvalidKey with a text that says what is wrong
// and never repeats the value. WriteError answers both.
func KeyOf(r *http.Request) (idem.Key, error) { return parseKey(r.Header[DefaultHeader], false) }

// parseKey returns the key in the lines of its header. The draft makes the value a structured-field string (RFC 9651,
// section 4.2); many clients send it bare. "k-1" and k-1 are the same key.
func parseKey(lines []string, strict bool) (idem.Key, error) {
	switch {
	case len(lines) == 0:
		return "", idem.ErrMissingKey
	case len(lines) > 1:
		return "", invalidKey("the header was sent more than once")
	}
	value := trim(lines[0])
	quoted := strings.HasPrefix(value, `"`)
	var key, problem string
	switch {
	case value == "":
		problem = "it is empty"
	case quoted:
		key, problem = quotedKey(value)
	case strict:
		problem = "it is not in double quotes"
	default:
		key, problem = value, badBareKey(value)
	}
	switch {
	case problem != "":
	case len(key) > maxKey:
		problem = fmt.Sprintf("it has %d bytes, the most is %d", len(key), maxKey)
	case key == "" || key[0] == ' ' && strings.Trim(key, " ") == "":
		problem = "it is empty"
	}
	if problem != "" {
		return "", invalidKey(problem)
	}
	return idem.Key(key), nil
}

// trim takes away the spaces and tabs around a value, of which there are seldom any.
func trim(s string) string {
	if s != "" && s[0] > ' ' && s[len(s)-1] > ' ' {
		return s
	}
	return strings.Trim(s, " \t")
}

func invalidKey(problem string) error { return fmt.Errorf("%w: %s", idem.ErrInvalidKey, problem) }

// quotedKey decodes a structured-field string and reads over its parameters.
func quotedKey(value string) (key, problem string) {
	key, rest, problem := sfString(value)
	if problem != "" {
		return "", problem
	}
	if rest, problem = sfParameters(rest); problem != "" {
		return "", problem
	}
	switch rest = strings.TrimLeft(rest, " \t"); {
	case rest == "":
		return key, ""
	case rest[0] == ',':
		return "", "it is a list"
	}
	return "", "something follows the closing quote"
}

// badBareKey says what is wrong with a key that is not quoted, or nothing. What could be a part of a list, of a quoted
// string or of parameters is refused, so that no value can be read in two ways.
func badBareKey(value string) string {
	for _, c := range []byte(value) {
		switch {
		case c == ',':
			return "it is a list, or it has a comma and is not in double quotes"
		case c == ' ' || c == '\t':
			return "it has a space and is not in double quotes"
		case c == '"' || c == ';' || c == '\\':
			return "it has a quote, semicolon or backslash and is not in double quotes"
		case c < ' ' || c > '~':
			return notPrintable
		}
	}
	return ""
}

const notPrintable = "it has a byte that is not printable ASCII"
