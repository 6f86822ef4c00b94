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
		x.m.writeFailure(&x.rec, r, err)
		x.rec.finish()
		return x.judge(r, err)
	}
	x.rec.finish()
	if err != nil {
		x.lost = true
		return x.buried(idem.Answer{Disposition: idem.Keep})
	}
	return x.answer(r)
}

// writeFailure writes the answer for an error of a function. Only a Problem is meant for clients: which of idem's errors
// another one may be is the function's own affair.
func (c *config) writeFailure(w http.ResponseWriter, r *http.Request, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = c.problem(errFunction)
	}
	c.send(w, r, p)
}

var errFunction = errors.New("httpadapter: the function failed")

// judge says what becomes of an error: a mark of package idem first, then Decide, then the option Disposition, then the status of
// a Problem, then the guard.
func (x *exchange) judge(r *http.Request, err error) idem.Answer {
	var a idem.Answer
	if _, marked := idem.MarkOf(err); !marked {
		a.Disposition = x.chosen(r)
		if p := (*Problem)(nil); a.Disposition == 0 && errors.As(err, &p) {
			a.Disposition = x.m.byStatus(x.rec.status)
		}
	}
	if a.Disposition == 0 {
		x.failed = &failure{err}
		a.Err = x.failed
	}
	return x.recorded(a)
}
