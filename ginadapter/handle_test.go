package ginadapter_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter"
)

type transfer struct{ Cents int }

type receipt struct {
	ID, To string
	Of     idem.User
	Cents  int
}

func (s *service) transfer(ctx context.Context, user idem.User, t transfer) (receipt, error) {
	s.runs.Add(1)
	switch t.Cents {
	case 13:
		return receipt{}, &httpadapter.Problem{Status: 422, Code: "unlucky"}
	case 14:
		return receipt{}, errors.New("canary")
	}
	id, _ := ginadapter.Params(ctx).Get("id")
	return receipt{ID: "t-1", To: id, Of: user, Cents: t.Cents}, nil
}

func TestHandleDecodesRunsAndEncodes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/orders/:id", ginadapter.Handle(s.m, s.transfer))
	const want = `{"ID":"t-1","To":"1","Of":"alice","Cents":5}`
	first(t, s.do(sent(`{"Cents":5}`)), 200, want)
	replayed(t, s.do(sent(`{"Cents":5}`)), 200, want)
	refused(t, s.do(sent(`{"Cents":6}`)), 422, idem.CodeMismatch)
	refused(t, s.do(sent(`{"Cents":5}`, to("POST", "/orders/2"))), 422, idem.CodeMismatch)
	refused(t, s.do(sent(`{"Cents":`)), 400, httpadapter.CodeBodyMalformed)
	refused(t, s.do(sent(`{"Cents":5}`, without("X-Test-User"))), 401, idem.CodeMissingUser)
	require.EqualValues(t, 1, s.runs.Load())
}

func TestHandleMapsErrors(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/orders/:id", ginadapter.Handle(s.m, s.transfer))
	refused(t, s.do(sent(`{"Cents":13}`)), 422, "unlucky")
	refused(t, s.do(sent(`{"Cents":13}`)), 422, "unlucky")
	require.EqualValues(t, 1, s.runs.Load())
	w := s.do(sent(`{"Cents":14}`, header("Idempotency-Key", "k-2")))
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "canary")
	require.Equal(t, backend.Done, s.state(t))
}

func TestHandleStopsTheChainWhereTheFunctionDidNotRun(t *testing.T) {
	t.Parallel()
	s := newService(t)
	behind := 0
	var seen witness
	s.r.POST("/orders/:id", seen.watch(t), ginadapter.Handle(s.m, s.transfer), func(*gin.Context) { behind++ })
	require.Equal(t, 200, s.do(sent(`{"Cents":5}`)).Code)
	require.False(t, seen.aborted)
	require.Equal(t, 200, s.do(sent(`{"Cents":5}`)).Code)
	require.True(t, seen.aborted)
	require.Equal(t, 1, behind)
}

func TestHandleRunsWhatPasses(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Optional())
	s.r.POST("/orders/:id", ginadapter.Handle(s.m, s.transfer))
	for range 2 {
		first(t, s.do(sent(`{"Cents":5}`, without("Idempotency-Key"))), 200, `{"ID":"t-1","To":"1","Of":"alice","Cents":5}`)
	}
	require.EqualValues(t, 2, s.runs.Load())
}

func TestHandleRefusesABodyThatWasBound(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.r.POST("/orders/:id", func(c *gin.Context) { _ = c.ShouldBindJSON(new(order)) }, ginadapter.Handle(s.m, s.transfer))
	refused(t, s.do(sent(`{"Cents":5}`)), 500, httpadapter.CodeBodyRead)
}

func TestHandlePanicsWithoutAFunction(t *testing.T) {
	t.Parallel()
	s := newService(t)
	require.Panics(t, func() { ginadapter.Handle[transfer, receipt](s.m, nil) })
	require.Panics(t, func() { ginadapter.Handle(nil, s.transfer) })
}

func TestThereAreNoParamsElsewhere(t *testing.T) {
	t.Parallel()
	require.Empty(t, ginadapter.Params(t.Context()))
}
