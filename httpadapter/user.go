package httpadapter

import (
	"context"
	"errors"

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

// userOf asks whose exchange it is, and gives an error a place among those that have an answer.
func (m *Middleware) userOf(x Exchange) (idem.User, error) {
	user, err := m.asked(x)
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

func (m *Middleware) asked(x Exchange) (idem.User, error) {
	if x.User != nil {
		return x.User()
	}
	return m.user(x.Request)
}
