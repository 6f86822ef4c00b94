package ginadapter

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// UserFunc says whose request it is: the account, tenant or principal that an earlier handler authenticated and, as a
// rule, put into the context. It may be called concurrently and must not read the body. Its errors are those of
// httpadapter.UserFunc.
type UserFunc func(*gin.Context) (idem.User, error)

// Middleware guards handlers of gin. It is made by New and by Route, never changes, and is safe for concurrent use.
type Middleware struct {
	http *httpadapter.Middleware
	user UserFunc
}

// New returns a middleware whose answers are kept by g. Options are those of package httpadapter. A wrong one is an
// *idem.OptionError that names it.
//
// A guard with the guarantee Tx is refused with idem.ErrWrongGuarantee: a handler that wants effect and answer in one
// transaction calls idem.DoTx itself, with KeyOf and WriteError.
func New(g *idem.Guard, user UserFunc, opts ...httpadapter.Option) (*Middleware, error) {
	if user == nil {
		return nil, &idem.OptionError{Option: "user", Reason: "the function is nil"}
	}
	m, err := httpadapter.New(g, noUser, opts...)
	if err != nil {
		return nil, err
	}
	return &Middleware{http: m, user: user}, nil
}

// noUser is never asked, since every exchange brings a function of its own.
func noUser(*http.Request) (idem.User, error) {
	return "", errors.New("ginadapter: a request without a gin.Context")
}

// Route returns a middleware for one route: m with opts applied over its own options. m does not change. Both answer for
// the same records, since those belong to the guard.
func (m *Middleware) Route(opts ...httpadapter.Option) (*Middleware, error) {
	route, err := m.http.Route(opts...)
	if err != nil {
		return nil, err
	}
	return &Middleware{http: route, user: m.user}, nil
}

// OpenAPI returns the document of httpadapter's OpenAPI: what the operations under m promise, made of its options.
func (m *Middleware) OpenAPI() ([]byte, error) { return m.http.OpenAPI() }

// Handler returns what is given to gin, for one route, a group or an engine. It runs the handlers behind it once per
// user and key, and sends their answer again afterwards.
func (m *Middleware) Handler() gin.HandlerFunc { return m.serve }
