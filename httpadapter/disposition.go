package httpadapter

import (
	"context"
	"net/http"

	"github.com/idem-go/idem"
)

// Disposition changes what becomes of an answer: idem.Keep stores it, idem.Release frees the key, idem.HoldIt gives it up
// as unknown. rule gets the request as the handler had it and the status that the handler wrote; where it returns 0 the
// default applies:
//
//   - 2xx, 3xx and 4xx are kept, but for those that speak of the moment or of the caller's credentials: 401, 403, 408,
//     409, 412, 423, 425, 428 and 429 are released. 400, 404, 410 and 422 are answers like any other.
//   - 5xx is released; under a guard with the guarantee Hold it is held.
//
// The client gets the handler's answer either way. rule may be called concurrently and must not read the body.
func Disposition(rule func(r *http.Request, status int) idem.Disposition) Option {
	return option(func(c *config) error {
		if rule == nil {
			return optionError("Disposition", "the function is nil")
		}
		c.disposition = rule
		return nil
	})
}

// Decide says what becomes of the answer of the handler that ctx belongs to, over the option Disposition and the default:
// idem.Keep stores it whatever its status, idem.Release frees the key ("do not store this one"), idem.HoldIt gives it up
// as unknown. ctx is that of the request, or one derived from it. The last call before the handler returns counts, and 0
// takes it back; a mark of package idem on the error of a function under Handle counts for more.
//
// It returns false, and has no effect, where no middleware guards the request or d is no disposition. It may be called
// concurrently.
func Decide(ctx context.Context, d idem.Disposition) bool {
	x := exchangeFrom(ctx)
	if x == nil || d > idem.HoldIt {
		return false
	}
	x.decided.Store(uint32(d))
	return true
}

// chosen is what the handler or the option Disposition says, or 0.
func (x *exchange) chosen(r *http.Request) idem.Disposition {
	if d := idem.Disposition(x.decided.Load()); d != 0 {
		return d
	}
	return x.m.chosen(r, x.rec.status)
}

func (m *Middleware) chosen(r *http.Request, status int) idem.Disposition {
	if m.disposition == nil {
		return 0
	}
	if d := m.disposition(r, status); d >= idem.Release && d <= idem.HoldIt {
		return d
	}
	return 0
}

// byStatus is the default.
func (m *Middleware) byStatus(status int) idem.Disposition {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusPreconditionFailed, http.StatusLocked, http.StatusTooEarly, http.StatusPreconditionRequired,
		http.StatusTooManyRequests:
		return idem.Release
	}
	switch {
	case status < http.StatusInternalServerError:
		return idem.Keep
	case m.guard.Guarantee() == idem.Hold:
		return idem.HoldIt
	}
	return idem.Release
}
