package httpadapter

import (
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

// chosen is what the option Disposition says, or 0.
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
