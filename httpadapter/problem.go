package httpadapter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Problem is an error as clients get it: a body of the type application/problem+json (RFC 9457). The middleware refuses
// with Problems, and a function under Handle returns one to choose its own:
//
//	return Receipt{}, &httpadapter.Problem{Status: 422, Code: "insufficient_funds", Detail: "The balance is too low."}
type Problem struct {
	Type   string `json:"type,omitempty"`   // a URI that names the kind of problem
	Title  string `json:"title,omitempty"`  // the kind in words; where it is empty, the name of the status
	Status int    `json:"status"`           // 400 to 599; anything else is sent as 500
	Detail string `json:"detail,omitempty"` // this case, and what to do next
	Code   string `json:"code,omitempty"`   // the kind in one stable word

	// OriginalStatus is the status of an answer that was given but not kept.
	OriginalStatus int `json:"original_status,omitempty"`

	// Header is sent beside the body.
	Header http.Header `json:"-"`
}

// Error returns status and code.
func (p *Problem) Error() string { return fmt.Sprintf("problem %d %s", p.Status, p.Code) }

// set sets a header of p.
func (p *Problem) set(name, value string) {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
}

// retryAfter tells the client when to come back (RFC 9110, section 10.2.3), in whole seconds: in a header, and in words.
func (p *Problem) retryAfter(d time.Duration) {
	seconds, unit := int64((d+time.Second-1)/time.Second), "seconds"
	if seconds == 1 {
		unit = "second"
	}
	p.set("Retry-After", strconv.FormatInt(seconds, 10))
	p.Detail += fmt.Sprintf("Retry with the same key after %d %s.", seconds, unit)
}

// complete is p as it is sent.
func (p *Problem) complete() *Problem {
	sent := *p
	if sent.Status < 400 || sent.Status > 599 {
		sent.Status = http.StatusInternalServerError
	}
	if sent.Title == "" {
		sent.Title = http.StatusText(sent.Status)
	}
	return &sent
}

// ServeHTTP sends p. What w's header says of another body is taken back. A Problem may be sent any number of times, also
// concurrently.
func (p *Problem) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	sent := p.complete()
	body, _ := json.Marshal(sent) // text and numbers alone
	body = append(body, '\n')     // for whoever reads it in a terminal
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "Content-Language", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	for name, values := range p.Header {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	h.Set("Content-Type", "application/problem+json")
	if p.Header.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	(&lines{header: h}).send(w, "", sent.Status, body)
}
