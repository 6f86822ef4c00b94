package httpadapter

import (
	"net/http"
	"strconv"
)

// lines writes a header whose values all stand in one slice.
type lines struct {
	header http.Header
	values []string // with room for all that are to come
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
	l.add("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who is gone can ask again
}
