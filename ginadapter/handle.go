package ginadapter

import (
	"context"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// Handle returns a handler for a function from one JSON body to another, under m. The rules are those of
// httpadapter.Handle: what is decoded, how an answer is encoded, and what becomes of an error. The context that fn gets
// has the path's parameters: see Params. Handlers that are registered behind it run where fn did.
//
// It panics if m or fn is nil.
func Handle[Req, Resp any](m *Middleware, fn func(context.Context, idem.User, Req) (Resp, error)) gin.HandlerFunc {
	if m == nil || fn == nil {
		panic("ginadapter: Handle with a nil middleware or function")
	}
	return func(c *gin.Context) {
		x := &exchange{c: c}
		defer x.end()
		r := c.Request.WithContext(context.WithValue(c.Request.Context(), paramsKey{}, slices.Clone(c.Params)))
		httpadapter.ServeFunc(m.http, sender{c.Writer}, m.exchange(c, r),
			func(ctx context.Context, user idem.User, req Req) (Resp, error) {
				x.ran = true
				return fn(ctx, user, req)
			})
	}
}

type paramsKey struct{}

// Params returns the parameters of the path of the request that ctx belongs to, in a function under Handle; elsewhere
// none. They are the function's to keep.
func Params(ctx context.Context) gin.Params {
	params, _ := ctx.Value(paramsKey{}).(gin.Params)
	return params
}
