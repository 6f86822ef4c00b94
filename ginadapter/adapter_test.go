package ginadapter_test

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter/adaptertest"
)

// onGin is a gin engine with the middleware in it. The handler uses the context's writer and request.
func onGin(_ adaptertest.TB, s adaptertest.Service) http.Handler {
	user := func(c *gin.Context) (idem.User, error) { return s.User(c.Request) }
	m := idem.Must(ginadapter.New(s.Guard, user, s.Options...))
	r := gin.New()
	r.Any("/*path", m.Handler(), func(c *gin.Context) { s.Next(c.Writer, c.Request) })
	return r
}

func TestTheMiddlewareOnGinPassesEveryRow(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		t.Parallel()
		h := adaptertest.Memory()
		h.Build = onGin
		return h
	})
}
