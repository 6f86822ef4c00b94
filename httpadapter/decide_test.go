package httpadapter_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

func TestAHandlerDecidesAboutItsOwnAnswer(t *testing.T) {
	t.Parallel()
	never := httpadapter.Disposition(func(*http.Request, int) idem.Disposition { return idem.HoldIt })
	for name, c := range map[string]struct {
		opts   []httpadapter.Option
		decide []idem.Disposition
		status int
		state  backend.State
	}{
		"not to store a 201":                    {nil, []idem.Disposition{idem.Release}, 201, backend.Absent},
		"to store a 503":                        {nil, []idem.Disposition{idem.Keep}, 503, backend.Done},
		"to hold":                               {nil, []idem.Disposition{idem.HoldIt}, 201, backend.Unknown},
		"over the option Disposition":           {[]httpadapter.Option{never}, []idem.Disposition{idem.Release}, 201, backend.Absent},
		"and the last word counts":              {nil, []idem.Disposition{idem.HoldIt, idem.Release}, 201, backend.Absent},
		"and takes it back":                     {nil, []idem.Disposition{idem.Release, 0}, 201, backend.Done},
		"and takes it back, and the rule rules": {[]httpadapter.Option{never}, []idem.Disposition{idem.Keep, 0}, 201, backend.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, c.opts...)
			h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
				for _, d := range c.decide {
					require.True(t, httpadapter.Decide(context.WithValue(r.Context(), t, 1), d))
				}
				require.False(t, httpadapter.Decide(r.Context(), 99))
				w.WriteHeader(c.status)
			})
			first(t, do(h, sent(`1`)), c.status, "")
			require.Equal(t, c.state, s.state(t))
		})
	}
}

func TestNobodyElseDecides(t *testing.T) {
	t.Parallel()
	require.False(t, httpadapter.Decide(t.Context(), idem.Keep))
	s := newService(t)
	var late context.Context
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) { late = r.Context() })
	first(t, do(h, sent(`1`)), 200, "")
	httpadapter.Decide(late, idem.Release)
	require.Equal(t, backend.Done, s.state(t), "the handler has returned")
}

func TestAFunctionDecidesUnlessItsErrorIsMarked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		state  backend.State
	}{
		"a problem": {&httpadapter.Problem{Status: 422}, 422, backend.Absent},
		"an error":  {errors.New("down"), 500, backend.Absent},
		"a mark":    {idem.Final(&httpadapter.Problem{Status: 422}), 422, backend.Done},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			h := httpadapter.Handle(s.m, func(ctx context.Context, _ idem.User, _ struct{}) (int, error) {
				require.True(t, httpadapter.Decide(ctx, idem.Release))
				return 0, c.err
			})
			require.Equal(t, c.status, do(h, sent(``)).Code)
			require.Equal(t, c.state, s.state(t))
		})
	}
}
