package httpadapter

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// lines writes a header whose values all stand in one slice.
type lines struct {
	header http.Header
	values []string
	last   string
	first  int // the place of the first value of last
}

// add adds a value. Those of one name come one after the other; they take the place of what was there.
func (l *lines) add(name, value string) {
	if name != l.last || len(l.values) == 0 {
		l.last, l.first = name, len(l.values)
	}
	l.values = append(l.values, value)
	end := len(l.values)
	l.header[name] = l.values[l.first:end:end]
}

// send ends an answer whose header is complete but for its length. The length of an answer to HEAD is the handler's to
// tell, who may not have written the body.
func (l *lines) send(w http.ResponseWriter, method string, status int, body []byte) {
	if !hasBody(status) || method == http.MethodHead && len(body) == 0 {
		w.WriteHeader(status)
		return
	}
	l.add("Content-Length", decimal(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who is gone can ask again
}

// decimal is strconv.Itoa. Most answers are short, and their lengths need no allocation.
func decimal(n int) string {
	if n < 0 || n > 9999 {
		return strconv.Itoa(n)
	}
	width := 1
	for least := 10; n >= least; least *= 10 {
		width++
	}
	end := 4 * (n + 1)
	return fourDigits()[end-width : end]
}

// fourDigits are the numbers from 0000 to 9999, one after the other.
var fourDigits = sync.OnceValue(func() string {
	var b strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&b, "%04d", n)
	}
	return b.String()
})
