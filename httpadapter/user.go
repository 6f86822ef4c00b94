package httpadapter

import (
	"context"
	"errors"
	"net/http"

	"github.com/idem-go/idem"
)

// UserOf returns the user whose request ctx belongs to, as the UserFunc said. ctx is that of a request under a
// middleware, or one derived from it; where the middleware let the request pass there is none.
func UserOf(ctx context.Context) (idem.User, bool) {
	x := exchangeFrom(ctx)
	if x == nil {
		return "", false
	}
	return x.user, true
}

// userOf asks the UserFunc, and gives its error a place among those that have an answer.
func (m *Middleware) userOf(r *http.Request) (idem.User, error) {
	user, err := m.user(r)
	switch {
	case err == nil:
		return user, user.Check()
	case errors.Is(err, idem.ErrMissingUser):
		return "", idem.ErrMissingUser
	case errors.Is(err, idem.ErrInvalidUser):
		return "", idem.ErrInvalidUser
	}
	return "", errNoUser
}
