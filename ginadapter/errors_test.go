package ginadapter_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

var errBroke = errors.New("broke")

// rendering turns errors into an answer, as middleware does that is common with gin.
func rendering(c *gin.Context) {
	c.Next()
	if len(c.Errors) > 0 && !c.Writer.Written() {
		c.JSON(422, gin.H{"error": c.Errors.Last().Error()})
	}
}

func TestAnErrorThatIsRenderedInsideIsStored(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/orders/:id", s.m.Handler(), rendering, s.counted(func(c *gin.Context) { _ = c.Error(errBroke) }))
	first(t, s.do(sent(`1`)), 422, `{"error":"broke"}`)
	replayed(t, s.do(sent(`1`)), 422, `{"error":"broke"}`)
	require.EqualValues(t, 1, s.runs.Load())
}

// TestAnErrorThatIsRenderedFurtherOut: an empty 200 must not be stored in its place.
func TestAnErrorThatIsRenderedFurtherOut(t *testing.T) {
	t.Parallel()
	for guarantee, state := range map[idem.Guarantee]backend.State{idem.Rerun: backend.Absent, idem.Hold: backend.Unknown} {
		s := newServiceWith(t, guarantee)
		s.post(func(c *gin.Context) {
			c.Header("X-Inside", "1")
			_ = c.Error(errBroke)
		}, rendering)
		w := s.do(sent(`1`))
		first(t, w, 422, `{"error":"broke"}`)
		require.Equal(t, "1", w.Header().Get("X-Inside"))
		require.Equal(t, state, s.state(t))
	}
}

func TestAnErrorThatNobodyRendersIs500(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) {
		_ = c.Error(errBroke)
		c.Abort()
	})
	first(t, s.do(sent(`1`)), 500, "")
	first(t, s.do(sent(`1`)), 500, "")
	require.EqualValues(t, 2, s.runs.Load())
	require.Equal(t, backend.Absent, s.state(t))
}

// TestAnErrorBesideAnAnswer is for those that are only to be logged.
func TestAnErrorBesideAnAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*gin.Context){
		"a body":         func(c *gin.Context) { c.String(204, "") },
		"a status":       func(c *gin.Context) { c.Status(204) },
		"a header alone": func(c *gin.Context) { c.Status(204); c.Writer.WriteHeaderNow() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.post(func(c *gin.Context) {
				_ = c.Error(errBroke)
				answer(c)
			}, rendering)
			first(t, s.do(sent(`1`)), 204, "")
			replayed(t, s.do(sent(`1`)), 204, "")
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

// TestAnErrorFromBeforeIsNotTheHandlers: what was collected further out says nothing of the handler.
func TestAnErrorFromBeforeIsNotTheHandlers(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(*gin.Context) {}, func(c *gin.Context) { _ = c.Error(errBroke) })
	first(t, s.do(sent(`1`)), 200, "")
	replayed(t, s.do(sent(`1`)), 200, "")
}

func TestAnErrorWhere500IsKeptIsATombstone(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Disposition(keep500))
	s.post(func(c *gin.Context) { _ = c.Error(errBroke) }, rendering)
	first(t, s.do(sent(`1`)), 422, `{"error":"broke"}`)
	refused(t, s.do(sent(`1`)), 409, idem.CodeAnswerNotKept)
	require.EqualValues(t, 1, s.runs.Load())
}

func keep500(_ *http.Request, status int) idem.Disposition {
	if status == http.StatusInternalServerError {
		return idem.Keep
	}
	return 0
}
