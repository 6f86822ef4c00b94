package httpadapter

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/idem-go/idem"
)

// WriteError answers with the problem that err stands for. It is for handlers that call idem.Do or idem.DoTx themselves;
// what the middleware itself refuses it answers in the same way. A *Problem is sent as it is; an error that idem does not
// know is 500, and its text is shown to nobody. Nothing may have been written to w yet.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	c := &standard
	if x := exchangeFrom(r.Context()); x != nil {
		c = &x.m.config
	}
	c.refuse(w, r, err)
}

// WriteError is the function WriteError with the options of m, also for a request that m let pass.
func (m *Middleware) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	m.refuse(w, r, err)
}

// standard is for refusals that no middleware makes.
var standard = defaults()

func (c *config) refuse(w http.ResponseWriter, r *http.Request, err error) {
	c.send(w, r, c.problem(err))
}

// refuseDone answers for a request that was processed but whose answer there is not: all that is known of it is what its
// tombstone says.
func (c *config) refuseDone(w http.ResponseWriter, r *http.Request, tombstone []byte) {
	p := c.problem(idem.ErrAnswerNotKept)
	if a, err := decode(tombstone); err == nil {
		p.OriginalStatus = a.status
		if location, found := a.value("Location"); found {
			p.set("Location", location)
		}
	}
	c.send(w, r, p)
}

// ProblemWriter replaces the way in which problems are sent: refusals, what WriteError is given, and the errors of
// functions under Handle. write gets a Problem of its own, with the headers that belong to it, such as Retry-After and
// WWW-Authenticate; p.ServeHTTP sends it as it would be sent without this option. If write writes nothing that is done
// too, since net/http would answer 200. write may be called concurrently.
func ProblemWriter(write func(w http.ResponseWriter, r *http.Request, p *Problem)) Option {
	return option(func(c *config) error {
		if write == nil {
			return optionError("ProblemWriter", "the function is nil")
		}
		c.problemWriter = write
		return nil
	})
}

func (c *config) send(w http.ResponseWriter, r *http.Request, p *Problem) {
	if c.problemWriter == nil {
		p.ServeHTTP(w, r)
		return
	}
	own := p.complete()
	own.Header = p.Header.Clone()
	watched := &writeWatch{ResponseWriter: w}
	c.problemWriter(watched, r, own)
	if !watched.wrote {
		p.ServeHTTP(w, r)
	}
}

// writeWatch sees whether an answer was begun.
type writeWatch struct {
	http.ResponseWriter
	wrote bool
}

func (w *writeWatch) WriteHeader(status int) {
	w.wrote = w.wrote || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *writeWatch) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// problem makes the answer of an error.
func (c *config) problem(err error) *Problem {
	var own *Problem
	if errors.As(err, &own) {
		return own
	}
	code := codeOf(err)
	known := refusalOf(code)
	p := &Problem{Title: known.title, Status: known.status, Detail: known.detail, Code: string(code)}
	p.set("Content-Language", "en")
	if c.documentation != "" {
		p.Type = c.documentation + "#" + p.Code
		p.set("Link", "<"+c.documentation+`>; rel="describedby"`)
	}
	if known.soon {
		p.retryAfter(time.Second)
	}
	c.particulars(p, code, err)
	return p
}

// particulars adds what only some codes have.
func (c *config) particulars(p *Problem, code idem.Code, err error) {
	switch code {
	case idem.CodeMissingKey:
		p.Detail = fmt.Sprintf(p.Detail, c.header)
	case idem.CodeInvalidKey:
		p.Detail = fmt.Sprintf(p.Detail, c.header, reason(err))
	case idem.CodeMissingUser, idem.CodeInvalidUser:
		p.set("WWW-Authenticate", c.challenge)
	case idem.CodeInFlight:
		after := time.Second
		if inFlight := (*idem.InFlightError)(nil); errors.As(err, &inFlight) {
			after = inFlight.RetryAfter
		}
		p.retryAfter(after)
	}
}

// reason is what an invalid key's error says beyond that. It never holds the key: neither KeyOf nor a KeyPolicy puts it
// there.
func reason(err error) string {
	if _, why, found := strings.Cut(err.Error(), idem.ErrInvalidKey.Error()+": "); found {
		return ": " + why
	}
	return ""
}
