package ginadapter_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/ginadapter"
)

// witness stands further out and looks at the context when everything inside has returned.
type witness struct {
	aborted bool
	status  int
	size    int
	written bool
	keys    any
	errors  []string
}

func (x *witness) watch(t *testing.T) gin.HandlerFunc {
	return func(c *gin.Context) {
		w, r := c.Writer, c.Request
		defer func() {
			require.Same(t, w, c.Writer, "the writer must be put back")
			require.Same(t, r, c.Request, "the request must be put back")
			inside, _ := c.Get("inside")
			*x = witness{c.IsAborted(), w.Status(), w.Size(), w.Written(), inside, c.Errors.Errors()}
		}()
		c.Next()
	}
}

func TestOuterMiddlewareSeesTheAnswer(t *testing.T) {
	t.Parallel()
	var seen witness
	s := newService(t)
	s.post(func(c *gin.Context) {
		c.Set("inside", true)
		_ = c.Error(http.ErrLineTooLong)
		c.String(201, "made")
	}, seen.watch(t))

	first(t, s.do(sent(`1`)), 201, "made")
	require.Equal(t, witness{false, 201, 4, true, true, []string{http.ErrLineTooLong.Error()}}, seen)
	replayed(t, s.do(sent(`1`)), 201, "made")
	require.Equal(t, witness{true, 201, 4, true, nil, nil}, seen, "no handler ran")
	refused(t, s.do(sent(`2`)), 422, idem.CodeMismatch)
	require.True(t, seen.aborted)
	require.Equal(t, 422, seen.status)
}

func TestAnAnswerWithoutABodyIsSentAtOnce(t *testing.T) {
	t.Parallel()
	var seen witness
	s := newService(t)
	s.post(func(c *gin.Context) { c.Status(204) }, seen.watch(t))
	first(t, s.do(sent(`1`)), 204, "")
	require.True(t, seen.written, "what is stored is sent: nobody further out may change it")
	require.Equal(t, 204, seen.status)
	replayed(t, s.do(sent(`1`)), 204, "")
	require.True(t, seen.written)
}

// TestWhatTheHandlerAborts stays aborted, and is no refusal.
func TestWhatTheHandlerAborts(t *testing.T) {
	t.Parallel()
	var seen witness
	s := newService(t)
	s.r.POST("/orders/:id", seen.watch(t), s.m.Handler(), func(c *gin.Context) {
		c.AbortWithStatusJSON(422, gin.H{"ok": false})
	}, s.counted(func(*gin.Context) {}))
	first(t, s.do(sent(`1`)), 422, `{"ok":false}`)
	require.True(t, seen.aborted)
	replayed(t, s.do(sent(`1`)), 422, `{"ok":false}`)
	require.Zero(t, s.runs.Load())
}

func TestEveryHandlerBehindTheMiddlewareIsRecorded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/orders/:id", s.m.Handler(), func(c *gin.Context) {
		_, _ = c.Writer.WriteString("before ")
		c.Next()
		_, _ = c.Writer.WriteString(" after")
	}, s.counted(func(c *gin.Context) { _, _ = c.Writer.WriteString("handler") }), func(c *gin.Context) {
		_, _ = c.Writer.WriteString(" second")
	})
	first(t, s.do(sent(`1`)), 200, "before handler second after")
	replayed(t, s.do(sent(`1`)), 200, "before handler second after")
	require.EqualValues(t, 1, s.runs.Load())
}

func TestRecoveryFurtherOutSeesThePanic(t *testing.T) {
	t.Parallel()
	var seen witness
	s := newService(t)
	s.post(func(c *gin.Context) {
		if s.runs.Load() == 1 {
			c.String(201, "half")
			panic("boom")
		}
		c.String(201, "made")
	}, gin.RecoveryWithWriter(new(bytes.Buffer)), seen.watch(t))
	w := s.do(sent(`1`))
	require.Equal(t, 500, w.Code)
	require.Empty(t, w.Body.String(), "nothing of the answer may have been sent")
	require.False(t, seen.written)
	require.Equal(t, backend.Absent, s.state(t))
	first(t, s.do(sent(`1`)), 201, "made")
}

func TestRecoveryInsideAnswers(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/orders/:id", s.m.Handler(), gin.RecoveryWithWriter(new(bytes.Buffer)), s.counted(func(c *gin.Context) {
		if s.runs.Load() == 1 {
			panic("boom")
		}
		c.String(201, "made")
	}))
	first(t, s.do(sent(`1`)), 500, "")
	require.Equal(t, backend.Absent, s.state(t))
	first(t, s.do(sent(`1`)), 201, "made")
}

// TestAPanicBeforeTheHandlerNeverReachesIt: a recovery of somebody's own may forget to abort.
func TestAPanicBeforeTheHandlerNeverReachesIt(t *testing.T) {
	t.Parallel()
	s := newService(t)
	m := panicking(t, s)
	s.r.POST("/orders/:id", func(c *gin.Context) {
		defer func() {
			require.Equal(t, "no database", recover())
			c.Status(500)
		}()
		c.Next()
	}, m, s.counted(func(*gin.Context) {}))
	require.Equal(t, 500, s.do(sent(`1`)).Code)
	require.Zero(t, s.runs.Load())
}

func TestReroutingUnderTheMiddlewarePanics(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/elsewhere", func(c *gin.Context) { c.String(200, "around") })
	s.post(func(c *gin.Context) {
		c.Request.URL.Path = "/elsewhere"
		s.r.HandleContext(c)
	})
	require.PanicsWithValue(t, "ginadapter: Engine.HandleContext was called under the middleware; what it wrote went around idem",
		func() { s.do(sent(`1`)) })
}

// TestAWriterThatTheHandlerLeavesBehindIsNotKept: wrappers of writers often are not taken off again.
func TestAWriterThatTheHandlerLeavesBehindIsNotKept(t *testing.T) {
	t.Parallel()
	var seen witness
	s := newService(t)
	s.post(func(c *gin.Context) {
		c.Writer = loud{c.Writer}
		c.String(201, "made")
	}, seen.watch(t))
	first(t, s.do(sent(`1`)), 201, "MADE")
	replayed(t, s.do(sent(`1`)), 201, "MADE")
}

// TestAWriterFurtherOutGetsWhatIsSent: first answers and replays alike. This one cannot be compared.
func TestAWriterFurtherOutGetsWhatIsSent(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) {
		c.Writer = louder{c.Writer, nil}
		c.String(201, "made")
	}, func(c *gin.Context) {
		was := c.Writer
		c.Writer = louder{c.Writer, nil}
		c.Next()
		c.Writer = was
	})
	first(t, s.do(sent(`1`)), 201, "MADE")
	replayed(t, s.do(sent(`1`)), 201, "MADE")
	require.EqualValues(t, 1, s.runs.Load())
}

// loud is a writer around another one.
type loud struct{ gin.ResponseWriter }

func (l loud) Write(p []byte) (int, error) { return l.ResponseWriter.Write(bytes.ToUpper(p)) }

type louder struct {
	gin.ResponseWriter
	_ []int
}

func (l louder) Write(p []byte) (int, error) { return l.ResponseWriter.Write(bytes.ToUpper(p)) }

// panicking is a middleware whose UserFunc panics.
func panicking(t *testing.T, s *service) gin.HandlerFunc {
	t.Helper()
	m, err := ginadapter.New(s.guard, func(*gin.Context) (idem.User, error) { panic("no database") })
	require.NoError(t, err)
	return m.Handler()
}
