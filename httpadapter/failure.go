package httpadapter

import (
	"context"
	"errors"
	"net/http"

	"github.com/idem-go/idem"
)

// failure is an error of a function under Handle on its way through the guard, so that it is known again.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// runTyped is what happens under the claim for a function under Handle.
func (x *exchange) runTyped(ctx context.Context, r *http.Request) idem.Answer {
	err := x.typed.call(ctx, x.user, &x.rec)
	if err != nil && !errors.Is(err, errNotEncodable) {
		x.m.writeFailure(&x.rec, err)
		x.rec.finish()
		return x.judge(r, err)
	}
	x.rec.finish()
	if err != nil {
		return x.buried()
	}
	return x.answer(r)
}

// writeFailure writes the answer for an error of a function. Only a Problem is meant for clients: which of idem's errors
// another one may be is the function's own affair.
func (c *config) writeFailure(w http.ResponseWriter, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = c.problem(errFunction)
	}
	p.write(w)
}

var errFunction = errors.New("httpadapter: the function failed")

// judge says what becomes of an error: a mark of package idem first, then the option Disposition, then the status of a
// Problem, then the guard.
func (x *exchange) judge(r *http.Request, err error) idem.Answer {
	var a idem.Answer
	if _, marked := idem.MarkOf(err); !marked {
		a.Disposition = x.m.chosen(r, x.rec.status)
		if p := (*Problem)(nil); a.Disposition == 0 && errors.As(err, &p) {
			a.Disposition = x.m.byStatus(x.rec.status)
		}
	}
	if a.Disposition == 0 {
		x.failed = &failure{err}
		a.Err = x.failed
	}
	a.Payload, a.Tombstone = x.rec.encode(x.m.replayed)
	return a
}

// buried is for an answer that cannot be encoded: it was done, so it must not run again.
func (x *exchange) buried() idem.Answer {
	x.lost = true
	_, tombstone := x.rec.encode(x.m.replayed)
	return idem.Answer{Disposition: idem.Keep, TombstoneOnly: true, Payload: tombstone, Tombstone: tombstone}
}
