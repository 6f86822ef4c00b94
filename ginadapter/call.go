package ginadapter

import (
	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// KeyOf returns the key that the request carries in its Idempotency-Key header, for handlers that call idem.Do or
// idem.DoTx themselves. Its errors are those of httpadapter.KeyOf; WriteError answers them.
func KeyOf(c *gin.Context) (idem.Key, error) { return httpadapter.KeyOf(c.Request) }

// UserOf returns the user whose request it is, as the UserFunc said, in a handler under a middleware. Where the
// middleware let the request pass there is none.
func UserOf(c *gin.Context) (idem.User, bool) { return httpadapter.UserOf(c.Request.Context()) }

// WriteError answers with the problem that err stands for, as httpadapter.WriteError does, and aborts, so that no handler
// behind this one runs. Nothing may have been written yet.
func WriteError(c *gin.Context, err error) {
	httpadapter.WriteError(c.Writer, c.Request, err)
	c.Abort()
}
