package httpadapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

type payment struct {
	Amount json.Number `json:"amount"`
}

type receipt struct {
	Amount json.Number `json:"amount"`
	For    string      `json:"for"`
}

// paying returns a handler that counts its runs and returns err.
func (s *service) paying(err error) http.Handler {
	return httpadapter.Handle(s.m, func(_ context.Context, user idem.User, p payment) (receipt, error) {
		s.runs.Add(1)
		return receipt{p.Amount, string(user)}, err
	})
}

func TestAFunctionIsServedAsJSON(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.paying(nil)
	w := do(h, sent(`{"amount":9007199254740993,"more":1}`))
	first(t, w, 200, `{"amount":9007199254740993,"for":"alice"}`)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	replayed(t, do(h, sent(`{"more":1, "amount":9007199254740993}`)), 200, `{"amount":9007199254740993,"for":"alice"}`)
	refused(t, do(h, sent(`{"amount":9007199254740992,"more":1}`)), 422, idem.CodeMismatch)
	require.EqualValues(t, 1, s.runs.Load())
}

func TestAFunctionsBodyIsDecodedBeforeAnythingIsClaimed(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no body": ``, "blank": ` `, "broken": `{"amount":1`, "another type": `{"amount":"canary"}`, "two values": `{} {}`, "junk behind": `{}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.store.StartLog()
			w := do(s.paying(nil), sent(body))
			refused(t, w, 400, httpadapter.CodeBodyMalformed)
			require.NotContains(t, w.Body.String(), "canary")
			require.Empty(t, s.store.Calls())
			require.Zero(t, s.runs.Load())
		})
	}
}

func TestAFunctionThatTakesNothingNeedsNoBody(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (string, error) {
		s.runs.Add(1)
		return "cancelled", nil
	})
	first(t, do(h, sent(``, to("POST", "/orders/1/cancel"))), 200, `"cancelled"`)
	replayed(t, do(h, sent(``, to("POST", "/orders/1/cancel"))), 200, `"cancelled"`)
	// The path is a part of the request: order 2 must not get the answer of order 1.
	refused(t, do(h, sent(``, to("POST", "/orders/2/cancel"))), 422, idem.CodeMismatch)
	refused(t, do(h, sent(``, to("POST", "/orders/1/cancel?now=1"))), 422, idem.CodeMismatch)
	refused(t, do(h, sent(`}`, to("POST", "/orders/1/cancel"))), 400, httpadapter.CodeBodyMalformed)
	require.EqualValues(t, 1, s.runs.Load())
}

// created chooses its own status and headers, on a value and on a pointer.
type created struct {
	ID     int `json:"id"`
	status int
}

func (c created) HTTPStatus() int { return c.status }

func (c *created) HTTPHeader() http.Header {
	return http.Header{"location": {fmt.Sprintf("/orders/%d", c.ID)}, "Content-Type": {"application/vnd.order+json"}}
}

func TestAnAnswerMayChooseItsStatusAndHeaders(t *testing.T) {
	t.Parallel()
	for _, byPointer := range []bool{false, true} {
		s := newService(t)
		h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (created, error) { return created{7, 201}, nil })
		if byPointer {
			h = httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (*created, error) { return &created{7, 201}, nil })
		}
		for _, again := range []bool{false, true} {
			w := do(h, sent(``))
			require.Equal(t, 201, w.Code)
			require.Equal(t, `{"id":7}`, w.Body.String())
			require.Equal(t, "/orders/7", w.Header().Get("Location"))
			require.Equal(t, "application/vnd.order+json", w.Header().Get("Content-Type"))
			require.Equal(t, again, w.Header().Get("Idempotent-Replayed") == "true")
		}
	}
}

func TestAnAnswerThatHasNoBodyIsSentWithoutOne(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (created, error) { return created{7, 204}, nil })
	first(t, do(h, sent(``)), 204, "")
	replayed(t, do(h, sent(``)), 204, "")
}

func TestAnAnswerThatCannotBeEncodedWasDone(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		h        func(*service) http.Handler
		status   int
		location string
	}{
		"a channel": {func(s *service) http.Handler {
			return httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (chan int, error) { s.runs.Add(1); return nil, nil })
		}, 200, ""},
		"a status that cannot be sent": {func(s *service) http.Handler {
			return httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (created, error) { s.runs.Add(1); return created{7, 99}, nil })
		}, 200, "/orders/7"},
		"no status": {func(s *service) http.Handler {
			return httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (created, error) { s.runs.Add(1); return created{7, 0}, nil })
		}, 200, "/orders/7"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			h := c.h(s)
			for range 2 {
				w := do(h, sent(``))
				p := refused(t, w, 409, idem.CodeAnswerNotKept)
				require.Equal(t, c.status, p.OriginalStatus)
				require.Equal(t, c.location, w.Header().Get("Location"))
			}
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

func TestAnErrorOfAFunction(t *testing.T) {
	t.Parallel()
	noFunds := &httpadapter.Problem{Status: 422, Code: "insufficient_funds", Title: "Too little money", Detail: "Top up first."}
	busy := &httpadapter.Problem{Status: 503, Code: "busy", Header: http.Header{"Retry-After": {"3"}}}
	plain := errors.New("canary: dial tcp 10.0.0.1")
	cases := map[string]struct {
		err         error
		status      int
		code        string
		rerun, hold backend.State
	}{
		"a problem whose status is kept":      {noFunds, 422, "insufficient_funds", backend.Done, backend.Done},
		"a problem that is wrapped":           {fmt.Errorf("pay: %w", noFunds), 422, "insufficient_funds", backend.Done, backend.Done},
		"a problem whose status is released":  {&httpadapter.Problem{Status: 409, Code: "stale"}, 409, "stale", backend.Absent, backend.Absent},
		"a problem of the server":             {busy, 503, "busy", backend.Absent, backend.Unknown},
		"a plain error":                       {plain, 500, "other", backend.Absent, backend.Unknown},
		"an error of another guard":           {idem.ErrMismatch, 500, "other", backend.Absent, backend.Unknown},
		"another guard's unstored answer":     {&idem.NotStoredError{Err: plain}, 500, "other", backend.Absent, backend.Unknown},
		"another guard's tombstone":           {idem.ErrAnswerNotKept, 500, "other", backend.Absent, backend.Unknown},
		"the end of a context":                {context.DeadlineExceeded, 500, "other", backend.Absent, backend.Unknown},
		"a plain error that is final":         {idem.Final(plain), 500, "other", backend.Done, backend.Done},
		"a plain error that is uncertain":     {idem.Uncertain(plain), 500, "other", backend.Unknown, backend.Unknown},
		"a plain error that undid everything": {idem.Undone(plain), 500, "other", backend.Absent, backend.Absent},
		"a problem that is final":             {idem.Final(busy), 503, "busy", backend.Done, backend.Done},
		"a problem that is uncertain":         {idem.Uncertain(noFunds), 422, "insufficient_funds", backend.Unknown, backend.Unknown},
		"a problem that undid everything":     {idem.Undone(busy), 503, "busy", backend.Absent, backend.Absent},
		"a mark inside of other errors":       {fmt.Errorf("a: %w, b: %w", plain, fmt.Errorf("c: %w", idem.Undone(busy))), 503, "busy", backend.Absent, backend.Absent},
	}
	for name, c := range cases {
		for guarantee, want := range map[idem.Guarantee]backend.State{idem.Rerun: c.rerun, idem.Hold: c.hold} {
			t.Run(name+" under "+guarantee.String(), func(t *testing.T) {
				t.Parallel()
				s := newServiceWith(t, guarantee, httpadapter.OnNotStored(httpadapter.Refuse))
				w := do(s.paying(c.err), sent(`{"amount":1}`))
				require.Equal(t, c.status, w.Code, w.Body.String())
				require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
				require.NotContains(t, w.Body.String(), "canary")
				require.Contains(t, w.Body.String(), `"code":"`+c.code+`"`)
				require.Equal(t, want, s.state(t))
				if want == backend.Done {
					replay := do(s.paying(nil), sent(`{"amount":1}`))
					replayed(t, replay, c.status, w.Body.String())
					require.Equal(t, w.Header().Get("Retry-After"), replay.Header().Get("Retry-After"))
					require.EqualValues(t, 1, s.runs.Load())
				}
			})
		}
	}
}

func TestOnErrorJudgesAPlainErrorOfAFunction(t *testing.T) {
	t.Parallel()
	s := newService(t)
	plain, other := errors.New("keep me"), errors.New("other")
	s.guard = newGuard(t, s.store, idem.OnError(func(err error) idem.Disposition {
		if errors.Is(err, plain) {
			return idem.Keep
		}
		return 0
	}))
	s.m = newMiddleware(t, s.guard)
	require.Equal(t, 500, do(s.paying(other), sent(`{"amount":1}`)).Code)
	require.Equal(t, backend.Absent, s.state(t))
	w := do(s.paying(plain), sent(`{"amount":1}`))
	require.Equal(t, 500, w.Code)
	replayed(t, do(s.paying(nil), sent(`{"amount":1}`)), 500, w.Body.String())
}

func TestDispositionJudgesAnErrorOfAFunction(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Disposition(func(_ *http.Request, status int) idem.Disposition {
		if status == 500 {
			return idem.HoldIt
		}
		return 0
	}))
	require.Equal(t, 500, do(s.paying(errors.New("x")), sent(`{"amount":1}`)).Code)
	require.Equal(t, backend.Unknown, s.state(t))
}

func TestAFunctionsOutcomeThatCouldNotBeStored(t *testing.T) {
	t.Parallel()
	noFunds := &httpadapter.Problem{Status: 422, Code: "insufficient_funds"}
	cases := map[string]struct {
		guarantee idem.Guarantee
		err       error
		fault     memtest.Op
		choice    httpadapter.NotStored
		status    int
	}{
		"an answer is delivered":     {idem.Rerun, nil, memtest.OpComplete, httpadapter.Deliver, 200},
		"an answer is refused":       {idem.Rerun, nil, memtest.OpComplete, httpadapter.Refuse, 500},
		"a problem is delivered":     {idem.Rerun, noFunds, memtest.OpComplete, httpadapter.Deliver, 422},
		"a problem is refused":       {idem.Rerun, noFunds, memtest.OpComplete, httpadapter.Refuse, 500},
		"a final error is delivered": {idem.Rerun, idem.Final(noFunds), memtest.OpComplete, httpadapter.Deliver, 422},
		"a final error is refused":   {idem.Rerun, idem.Final(noFunds), memtest.OpComplete, httpadapter.Refuse, 500},
		"a hold is delivered":        {idem.Hold, idem.Uncertain(noFunds), memtest.OpHold, httpadapter.Deliver, 422},
		"a hold is refused":          {idem.Hold, idem.Uncertain(noFunds), memtest.OpHold, httpadapter.Refuse, 500},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServiceWith(t, c.guarantee, httpadapter.OnNotStored(c.choice))
				s.store.Inject(memtest.Fault{Op: c.fault, Count: -1})
				w := do(s.paying(c.err), sent(`{"amount":1}`))
				require.Equal(t, c.status, w.Code, w.Body.String())
				if c.choice == httpadapter.Refuse {
					refused(t, w, 500, idem.CodeNotStored)
				}
			})
		})
	}
}

func TestAnAnswerThatCannotBeEncodedNorBuriedIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.store.Inject(memtest.Fault{Op: memtest.OpComplete, Count: -1})
		h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (chan int, error) { return nil, nil })
		refused(t, do(h, sent(``)), 500, idem.CodeNotStored)
	})
}

func TestAFunctionWhoseClaimWasLostGivesTheStoredAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var h http.Handler
	h = httpadapter.Handle(s.m, func(context.Context, idem.User, payment) (int32, error) {
		run := s.runs.Add(1)
		if run == 1 {
			s.store.Advance(31 * time.Second)
			first(t, do(h, sent(`{"amount":1}`)), 200, "2")
		}
		return run, nil
	})
	replayed(t, do(h, sent(`{"amount":1}`)), 200, "2")
}

func TestAFunctionRunsUnguardedWhereTheMiddlewareLetsItPass(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Optional(), httpadapter.MaxBody(20))
	keyless := without("Idempotency-Key")
	h := s.paying(nil)
	for range 2 {
		first(t, do(h, sent(`{"amount":1}`, keyless)), 200, `{"amount":1,"for":"alice"}`)
	}
	require.EqualValues(t, 2, s.runs.Load())
	first(t, do(h, sent(`{"amount":1}`, func(r *http.Request) { r.Method = "PUT" })), 200, `{"amount":1,"for":"alice"}`)
	refused(t, do(h, sent(`}`, keyless)), 400, httpadapter.CodeBodyMalformed)
	refused(t, do(h, sent(`{"amount":1111111111111111}`, keyless)), 413, httpadapter.CodeBodyTooLarge)
	refused(t, do(h, sent(`{"amount":1}`, keyless, without(userHeader))), 401, idem.CodeMissingUser)

	w := do(s.paying(&httpadapter.Problem{Status: 422, Code: "no"}), sent(`{"amount":1}`, keyless))
	require.Equal(t, 422, w.Code)
	w = do(s.paying(errors.New("canary")), sent(`{"amount":1}`, keyless))
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "canary")
	broken := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (chan int, error) { return nil, nil })
	refused(t, do(broken, sent(``, keyless)), 500, idem.CodeOther)
}

func TestAFunctionInsideTheSameGuardsMiddlewareRunsOnce(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.m.Wrap(s.paying(nil))
	first(t, do(h, sent(`{"amount":1}`)), 200, `{"amount":1,"for":"alice"}`)
	replayed(t, do(h, sent(`{"amount":1}`)), 200, `{"amount":1,"for":"alice"}`)
	require.EqualValues(t, 1, s.runs.Load())
}

func TestAFunctionHasItsUserAndItsAttempt(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := httpadapter.Handle(s.m, func(ctx context.Context, user idem.User, _ struct{}) (bool, error) {
		fromContext, ok := httpadapter.UserOf(ctx)
		attempt, running := idem.AttemptFrom(ctx)
		return ok && running && fromContext == user && attempt.Key == "k-1", nil
	})
	first(t, do(h, sent(``)), 200, "true")
}

func TestAFunctionThatMaxRunEndedIsA500(t *testing.T) {
	t.Parallel()
	for _, guarantee := range []idem.Guarantee{idem.Rerun, idem.Hold} {
		synctest.Test(t, func(t *testing.T) {
			s := newServiceWith(t, guarantee, httpadapter.OnNotStored(httpadapter.Refuse))
			h := httpadapter.Handle(s.m, func(ctx context.Context, _ idem.User, _ struct{}) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			refused(t, do(h, sent(``)), 500, idem.CodeOther)
			require.Equal(t, guarantee == idem.Hold, s.state(t) == backend.Unknown)
		})
	}
}

func TestAPanicInAFunctionPasses(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (int, error) {
		if s.runs.Add(1) == 1 {
			panic("boom")
		}
		return 1, nil
	})
	require.PanicsWithValue(t, "boom", func() { do(h, sent(``)) })
	first(t, do(h, sent(``)), 200, "1")
}

func TestHandleNeedsAMiddlewareAndAFunction(t *testing.T) {
	t.Parallel()
	s := newService(t)
	require.Panics(t, func() { httpadapter.Handle[int, int](s.m, nil) })
	require.Panics(t, func() {
		httpadapter.Handle(nil, func(context.Context, idem.User, int) (int, error) { return 0, nil })
	})
}
