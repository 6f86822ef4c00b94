package ginadapter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter"
)

func TestTheUserIsWhoWasAuthenticatedIntoTheContext(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) {
		user, ok := ginadapter.UserOf(c)
		require.True(t, ok)
		key, err := ginadapter.KeyOf(c)
		require.NoError(t, err)
		c.String(201, "%s %s %s", user, key, c.Param("id"))
	})
	first(t, s.do(sent(`1`)), 201, "alice k-1 1")
	first(t, s.do(sent(`1`, header("X-Test-User", "bob"))), 201, "bob k-1 1")
	replayed(t, s.do(sent(`1`)), 201, "alice k-1 1")
	refused(t, s.do(sent(`1`, to("POST", "/orders/2"))), 422, idem.CodeMismatch)
	refused(t, s.do(sent(`1`, without("X-Test-User"))), 401, idem.CodeMissingUser)
	require.EqualValues(t, 2, s.runs.Load())
}

func TestAnErrorOfTheUserFuncIsNotNobody(t *testing.T) {
	t.Parallel()
	s := newService(t)
	m, err := ginadapter.New(s.guard, func(*gin.Context) (idem.User, error) { return "alice", errors.New("canary") })
	require.NoError(t, err)
	s.r.POST("/orders/:id", m.Handler(), s.counted(func(c *gin.Context) { c.Status(204) }))
	w := s.do(sent(`1`))
	refused(t, w, 503, httpadapter.CodeUserUnknown)
	require.NotContains(t, w.Body.String(), "canary")
	require.Zero(t, s.runs.Load())
}

func TestAWrongConfigurationIsAnErrorOfNew(t *testing.T) {
	t.Parallel()
	s := newService(t)
	tx, err := idem.New("tx", new(memtest.Store), idem.Tx)
	require.NoError(t, err)
	var option *idem.OptionError

	_, err = ginadapter.New(s.guard, nil)
	require.ErrorAs(t, err, &option)
	require.Equal(t, "user", option.Option)
	_, err = ginadapter.New(nil, principal)
	require.ErrorAs(t, err, &option)
	require.Equal(t, "guard", option.Option)
	_, err = ginadapter.New(s.guard, principal, httpadapter.MaxBody(-1))
	require.ErrorAs(t, err, &option)
	require.Equal(t, "MaxBody", option.Option)
	_, err = s.m.Route(httpadapter.Header("no header"))
	require.ErrorAs(t, err, &option)
	require.Equal(t, "Header", option.Option)
	_, err = ginadapter.New(tx, principal)
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)
}

func TestGroupsAndRoutesHaveTheirPolicies(t *testing.T) {
	t.Parallel()
	s := newService(t)
	optional, err := s.m.Route(httpadapter.Optional(), httpadapter.Methods("PUT"))
	require.NoError(t, err)
	answer := s.counted(func(c *gin.Context) { c.String(200, "%s %d", c.FullPath(), s.runs.Load()) })
	guarded := s.r.Group("/v1", s.m.Handler())
	guarded.POST("/a/:id", answer)
	guarded.GET("/a/:id", answer)
	drafts := s.r.Group("/drafts")
	drafts.Use(optional.Handler())
	drafts.PUT("/:id", answer)

	first(t, s.do(sent(`1`, to("POST", "/v1/a/7"))), 200, "/v1/a/:id 1")
	replayed(t, s.do(sent(`1`, to("POST", "/v1/a/7"))), 200, "/v1/a/:id 1")
	first(t, s.do(sent(``, to("GET", "/v1/a/7"), without("Idempotency-Key"))), 200, "/v1/a/:id 2")
	refused(t, s.do(sent(`1`, to("POST", "/v1/a/7"), without("Idempotency-Key"))), 400, idem.CodeMissingKey)
	first(t, s.do(sent(`1`, to("PUT", "/drafts/1"), without("Idempotency-Key"))), 200, "/drafts/:id 3")
	first(t, s.do(sent(`1`, to("PUT", "/drafts/1"), header("Idempotency-Key", "k-2"))), 200, "/drafts/:id 4")
	replayed(t, s.do(sent(`1`, to("PUT", "/drafts/1"), header("Idempotency-Key", "k-2"))), 200, "/drafts/:id 4")
}

// TestOnAnEngineUnknownPathsStayUnknown: gin runs an engine's middleware for them too, with a status of its own.
func TestOnAnEngineUnknownPathsStayUnknown(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.Use(s.m.Handler())
	s.r.POST("/orders/:id", s.counted(func(c *gin.Context) { c.Status(201) }))
	w := s.do(sent(`1`, to("POST", "/unknown")))
	require.Equal(t, 404, w.Code)
	require.Equal(t, 404, s.do(sent(`1`, to("POST", "/unknown"))).Code)
	first(t, s.do(sent(`1`, header("Idempotency-Key", "k-2"))), 201, "")
}

func TestAMiddlewareInsideOfAnotherOfTheGuardPasses(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) { c.String(201, "made") }, s.m.Handler())
	first(t, s.do(sent(`1`)), 201, "made")
	replayed(t, s.do(sent(`1`)), 201, "made")
	require.EqualValues(t, 1, s.runs.Load())
}

func TestTwoGuardsMayStandBehindEachOther(t *testing.T) {
	t.Parallel()
	s := newService(t)
	audit, err := idem.New("audit", s.store)
	require.NoError(t, err)
	outer, err := ginadapter.New(audit, principal)
	require.NoError(t, err)
	s.post(func(c *gin.Context) { c.JSON(201, gin.H{"made": true}) }, outer.Handler())
	first(t, s.do(sent(`1`)), 201, `{"made":true}`)
	replayed(t, s.do(sent(`1`)), 201, `{"made":true}`)
	require.EqualValues(t, 1, s.runs.Load())
}

// TestTheHandlersContextOutlivesItsClient: whichever way the handler asks for it.
func TestTheHandlersContextOutlivesItsClient(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx, hangUp := context.WithCancel(t.Context())
	s.post(func(c *gin.Context) {
		hangUp()
		require.NoError(t, c.Request.Context().Err())
		select {
		case <-c.Writer.CloseNotify():
			t.Error("the handler is told that its client is gone")
		default:
		}
		attempt, ok := idem.AttemptFrom(c.Request.Context())
		require.True(t, ok)
		require.Equal(t, 1, attempt.Number)
		c.String(201, "made")
	})
	s.do(sent(`1`).WithContext(ctx))
	replayed(t, s.do(sent(`1`)), 201, "made")
}

func TestWriteErrorAnswersAndStopsTheChain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/payouts", func(c *gin.Context) {
		_, err := ginadapter.KeyOf(c)
		require.Error(t, err)
		_, ok := ginadapter.UserOf(c)
		require.False(t, ok)
		ginadapter.WriteError(c, fmt.Errorf("pay out: %w", err))
	}, s.counted(func(*gin.Context) {}))
	refused(t, s.do(sent(`1`, to("POST", "/payouts"), without("Idempotency-Key"))), 400, idem.CodeMissingKey)
	refused(t, s.do(sent(`1`, to("POST", "/payouts"), header("Idempotency-Key", `"`))), 400, idem.CodeInvalidKey)
	require.Zero(t, s.runs.Load())
}

func TestRequestsThatPassAreUntouched(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Optional())
	var inside, outside *http.Request
	s.post(func(c *gin.Context) {
		c.Status(204)
		require.NoError(t, http.NewResponseController(unwrapped(c.Writer)).Flush(), "the writer is gin's own")
		c.Request = c.Request.WithContext(t.Context()) // as tracing does, for who stands further out
		inside = c.Request
	}, func(c *gin.Context) {
		w := c.Writer
		c.Next()
		require.Same(t, w, c.Writer)
		outside = c.Request
	})
	first(t, s.do(sent(`1`, without("Idempotency-Key"))), 204, "")
	require.Same(t, inside, outside)
}

// unwrapped makes a http.ResponseController ask w and nothing behind it.
func unwrapped(w gin.ResponseWriter) http.ResponseWriter {
	return struct {
		http.ResponseWriter
		http.Flusher
	}{w, w}
}
