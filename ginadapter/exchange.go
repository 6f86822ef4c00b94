package ginadapter

import (
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// exchange is a request on its way through gin.
type exchange struct {
	c     *gin.Context
	outer gin.ResponseWriter // what the context came with
	came  *http.Request

	ran        bool // the handlers behind the middleware did
	unanswered bool // they left an error and no answer
}

func (m *Middleware) serve(c *gin.Context) {
	x := &exchange{c: c, outer: c.Writer, came: c.Request}
	defer x.end()
	call := m.exchange(c, c.Request)
	call.Next, call.Unanswered = x.next, func() bool { return x.unanswered }
	m.http.Serve(sender{x.outer}, call)
}

// exchange is what all exchanges have.
func (m *Middleware) exchange(c *gin.Context, r *http.Request) httpadapter.Exchange {
	_, bound := c.Get(gin.BodyBytesKey)
	return httpadapter.Exchange{Request: r, BodyRead: bound, User: func() (idem.User, error) { return m.user(c) }}
}

// end stops the chain where the middleware itself has answered, and where it panicked before it could: what recovers from
// that further out must not go on to the handler.
func (x *exchange) end() {
	if !x.ran {
		x.c.Abort()
	}
}

// next runs the handlers behind the middleware. A request that passes has come as it was.
func (x *exchange) next(w http.ResponseWriter, r *http.Request) {
	x.ran = true
	if r == x.came {
		x.c.Next()
		return
	}
	defer func() { x.c.Writer, x.c.Request = x.outer, x.came }()
	rec := &writer{ResponseWriter: w, status: x.outer.Status(), size: noWritten}
	x.c.Writer, x.c.Request = rec, r
	errs := len(x.c.Errors)
	x.c.Next()
	if reflect.ValueOf(x.outer).Comparable() && x.c.Writer == x.outer {
		panic("ginadapter: Engine.HandleContext was called under the middleware; what it wrote went around idem")
	}
	if x.unanswered = len(x.c.Errors) > errs && !rec.answered(); x.unanswered {
		x.outer.WriteHeader(http.StatusInternalServerError) // not sent yet: whoever stands further out may answer
		return
	}
	rec.WriteHeaderNow()
}
