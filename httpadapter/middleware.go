package httpadapter

import (
	"fmt"
	"net/http"

	"github.com/idem-go/idem"
)

// UserFunc says whose request it is: the account, tenant or principal that an earlier handler authenticated. It may be
// called concurrently and must not read the body.
//
// An empty user, idem.ErrMissingUser and idem.ErrInvalidUser are answered with 401 and a challenge. Any other error means
// that the user could not be found out, and is answered with 503: such a request must not be taken for one of nobody.
// The text of the error is shown to nobody.
type UserFunc func(*http.Request) (idem.User, error)

// Middleware guards HTTP handlers. It is made by New and by Route, never changes, and is safe for concurrent use.
type Middleware struct {
	guard *idem.Guard
	user  UserFunc
	exec  *idem.Executor // under the options of config.call

	inMemory int // what an answer's body may have before it is spooled
	config
}

// New returns a middleware whose answers are kept by g. A wrong option is an *idem.OptionError that names it.
//
// A guard with the guarantee Tx is refused with idem.ErrWrongGuarantee: a handler that wants effect and answer in one
// transaction calls idem.DoTx itself, with KeyOf and WriteError.
func New(g *idem.Guard, user UserFunc, opts ...Option) (*Middleware, error) {
	switch {
	case g == nil:
		return nil, optionError("guard", "it is nil")
	case user == nil:
		return nil, optionError("user", "the function is nil")
	case g.Guarantee() == idem.Tx:
		return nil, fmt.Errorf("%w: a middleware on a guard whose guarantee is Tx; call idem.DoTx in the handler",
			idem.ErrWrongGuarantee)
	}
	m := &Middleware{guard: g, user: user, config: defaults()}
	return m.Route(opts...)
}

// Route returns a middleware for one route: m with opts applied over its own options. m does not change. Both answer for
// the same records, since those belong to the guard.
func (m *Middleware) Route(opts ...Option) (*Middleware, error) {
	route := *m
	for _, o := range opts {
		if o == nil {
			return nil, optionError("Option", "it is nil")
		}
		if err := o.apply(&route.config); err != nil {
			return nil, err
		}
	}
	exec, err := route.guard.Executor(route.call...)
	if err != nil {
		return nil, err
	}
	route.exec, route.inMemory = exec, max(exec.Policy().MaxResult, leastKept)
	return &route, nil
}

// Wrap returns a handler that runs next once per user and key, and replays its answer afterwards.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	serve := next.ServeHTTP
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Serve(w, Exchange{Request: r, Next: serve})
	})
}

// Exchange is one request on its way to a handler.
type Exchange struct {
	Request *http.Request

	// Next runs the handler. Where the request is not guarded it gets the writer and the request that came in; else a
	// writer that records, and a request whose body is whole and whose context is the attempt's.
	Next func(http.ResponseWriter, *http.Request)

	// BodyRead says that something has read the body already and that Request does not show it, such as a framework
	// that keeps the bytes elsewhere. The request is then refused, with ErrBodyRead.
	BodyRead bool

	// User, if it is not nil, stands in for the middleware's UserFunc, under the same rules: for a framework that keeps
	// who was authenticated in a context of its own.
	User func() (idem.User, error)

	// Unanswered, if it is not nil, is asked when Next has returned. True says that the handler failed and left its
	// answer to what stands further out, as handlers of frameworks do that collect or return errors. Nothing was said
	// that could be stored: the request counts as one that was answered with 500, except that where 500 is kept there is
	// no answer to replay, and later clients get 409 with the code answer_not_kept. Serve then sends nothing, and puts the
	// handler's headers into the writer's.
	Unanswered func() bool
}

// Serve takes one exchange from the header to the answer. It is what Wrap calls for every request, and all that an
// adapter for another framework has to call. It calls x.Next at most once, on the caller's goroutine, and lets its panic
// pass. It may be called concurrently.
func (m *Middleware) Serve(w http.ResponseWriter, x Exchange) { m.serve(w, x, nil) }

// serve is Serve. The order of refusals is fixed: what costs nothing to find out comes first, and nothing is claimed
// before everything else was found in order.
func (m *Middleware) serve(w http.ResponseWriter, x Exchange, t typed) {
	r := x.Request
	if !m.guards(r.Method) {
		x.Next(w, r)
		return
	}
	sent := r.Header[m.header]
	if len(sent) == 0 && m.optional || m.inside(r) {
		x.Next(w, r)
		return
	}
	key, err := parseKey(sent, m.strict)
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	user, err := m.userOf(x)
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	rm := rooms.Get().(*room)
	rm.in, err = m.readBody(w, x, rm.in)
	if err == nil && t != nil {
		err = t.decode(rm.in)
	}
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	e := &exchange{
		Context: r.Context(), m: m, w: w, r: r, next: x.Next, left: x.Unanswered, typed: t, user: user, room: rm,
	}
	e.exec(key)
}

func (m *Middleware) guards(method string) bool {
	for _, guarded := range m.methods {
		if method == guarded {
			return true
		}
	}
	return false
}

// inside reports whether r is already under this guard, by a middleware further out. A request of its own that a handler
// makes from its context is not: it has another key or goes elsewhere.
func (m *Middleware) inside(r *http.Request) bool {
	for x := exchangeFrom(r.Context()); x != nil; x = exchangeFrom(x.Context) {
		if x.m.guard == m.guard && x.is(r) {
			return true
		}
	}
	return false
}
