package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// house writes problems as one line of text, with the status 299 so that it is seen to be obeyed.
func house(w http.ResponseWriter, _ *http.Request, p *httpadapter.Problem) {
	w.Header().Set("X-After", p.Header.Get("Retry-After"))
	w.WriteHeader(299)
	fmt.Fprint(w, p.Status, " ", p.Code, " ", p.Title)
}

func TestAHouseMayWriteItsProblemsItself(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.ProblemWriter(house))
	w := do(s.wrap(echo), sent(`1`, without("Idempotency-Key")))
	first(t, w, 299, "400 missing_key Idempotency-Key is missing")

	w = do(s.wrap(func(w http.ResponseWriter, r *http.Request) { httpadapter.WriteError(w, r, idem.ErrUnavailable) }), sent(`1`))
	first(t, w, 299, "503 unavailable The service is not available")
	require.Equal(t, "1", w.Header().Get("X-After"))

	w = do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.m.WriteError(w, r, idem.ErrMismatch) }), sent(`1`))
	first(t, w, 299, "422 mismatch Idempotency-Key is already used")

	failing := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (int, error) { return 0, errors.New("canary") })
	w = do(failing, sent(``, header("Idempotency-Key", "k-2")))
	first(t, w, 299, "500 other Internal Server Error")
}

func TestAProblemThatTheHouseDoesNotWriteIsSentAsEver(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.ProblemWriter(func(_ http.ResponseWriter, _ *http.Request, p *httpadapter.Problem) {
		p.Status, p.Code = 200, "changed"
		p.Header.Set("Retry-After", "changed")
	}))
	w := do(s.wrap(echo), sent(`1`, without(userHeader)))
	refused(t, w, 401, idem.CodeMissingUser)
	require.Empty(t, w.Header().Get("Retry-After"))
}

func TestTheHouseMayFallBackToTheOrdinaryForm(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.ProblemWriter(func(w http.ResponseWriter, r *http.Request, p *httpadapter.Problem) {
		w.Header().Set("X-House", "1")
		p.ServeHTTP(w, r)
	}))
	w := do(s.wrap(echo), sent(`1`, without("Idempotency-Key")))
	refused(t, w, 400, idem.CodeMissingKey)
	require.Equal(t, "1", w.Header().Get("X-House"))
	_, err := s.m.Route(httpadapter.ProblemWriter(nil))
	require.Error(t, err)
}

// TestDetailsSayWhatToDoNext is the advice that clients get, word for word.
func TestDetailsSayWhatToDoNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		advice string
	}{
		{&idem.InFlightError{RetryAfter: 7e9}, "Retry with the same key after 7 seconds."},
		{idem.ErrUnavailable, "The request was not processed. Retry with the same key after 1 second."},
		{idem.ErrMismatch, "Use a new key for a new request"},
		{idem.ErrUnknownOutcome, "Do not retry with a new key: reconcile first."},
		{idem.ErrCorrupt, "Do not retry with a new key: reconcile first."},
		{idem.ErrNotStored, "reconcile first."},
		{idem.ErrAnswerNotKept, "do not send it again."},
		{idem.ErrMissingKey, "send the request again with a new key, and with that key at every retry."},
		{idem.ErrInvalidKey, "Send the request again with one."},
		{errors.New("canary"), "Retry with the same key."},
	} {
		w := do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { httpadapter.WriteError(w, r, c.err) }), sent(``))
		require.Contains(t, w.Body.String(), c.advice)
	}
}
