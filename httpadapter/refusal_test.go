package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// answers is DESIGN's table, and what else can come out of a call: every error of idem, its status and when a client
// should come back.
var answers = []struct {
	err    error
	status int
	code   idem.Code
	title  string
	after  string
}{
	{idem.ErrMissingKey, 400, idem.CodeMissingKey, "Idempotency-Key is missing", ""},
	{idem.ErrInvalidKey, 400, idem.CodeInvalidKey, "Idempotency-Key is invalid", ""},
	{idem.ErrMissingUser, 401, idem.CodeMissingUser, "", ""},
	{idem.ErrInvalidUser, 401, idem.CodeInvalidUser, "", ""},
	{idem.ErrMismatch, 422, idem.CodeMismatch, "Idempotency-Key is already used", ""},
	{&idem.MismatchError{}, 422, idem.CodeMismatch, "Idempotency-Key is already used", ""},
	{idem.ErrInFlight, 409, idem.CodeInFlight, "A request is outstanding for this Idempotency-Key", "1"},
	{&idem.InFlightError{RetryAfter: 7 * time.Second}, 409, idem.CodeInFlight, "A request is outstanding for this Idempotency-Key", "7"},
	{idem.ErrUnknownOutcome, 409, idem.CodeUnknownOutcome, "", ""},
	{idem.ErrLeaseLost, 409, idem.CodeLeaseLost, "", "1"},
	{idem.ErrMaxRun, 503, idem.CodeMaxRun, "", "1"},
	{idem.ErrNotStored, 500, idem.CodeNotStored, "", ""},
	{&idem.NotStoredError{Err: errors.New("canary")}, 500, idem.CodeNotStored, "", ""},
	{idem.ErrAnswerNotKept, 409, idem.CodeAnswerNotKept, "", ""},
	{idem.ErrReentrant, 500, idem.CodeReentrant, "", ""},
	{idem.ErrCorrupt, 500, idem.CodeCorrupt, "", ""},
	{idem.ErrVersion, 500, idem.CodeVersion, "", ""},
	{idem.ErrUnavailable, 503, idem.CodeUnavailable, "", "1"},
	{idem.ErrCommitUnknown, 503, idem.CodeCommitUnknown, "", "1"},
	{idem.ErrConflict, 503, idem.CodeConflict, "", "1"},
	{context.Canceled, 503, idem.CodeContextCanceled, "", "1"},
	{idem.ErrNotFound, 404, idem.CodeNotFound, "", ""},
	{idem.ErrInvalidRequest, 500, idem.CodeInvalidRequest, "", ""},
	{idem.ErrWrongGuarantee, 500, idem.CodeWrongGuarantee, "", ""},
	{idem.ErrNoTransactions, 500, idem.CodeNoTransactions, "", ""},
	{idem.ErrUnsupported, 500, idem.CodeUnsupported, "", ""},
	{&idem.OptionError{Option: "canary"}, 500, idem.CodeInvalidOption, "", ""},
	{errors.New("canary"), 500, idem.CodeOther, "", ""},
	{nil, 500, idem.CodeNone, "", ""},
	{httpadapter.ErrBodyRead, 500, httpadapter.CodeBodyRead, "", ""},
	{&http.MaxBytesError{Limit: 1}, 413, httpadapter.CodeBodyTooLarge, "", ""},
}

func TestEveryErrorHasItsAnswer(t *testing.T) {
	t.Parallel()
	for _, a := range answers {
		name := "no error"
		if a.err != nil {
			name = a.err.Error()
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := httptest.NewRecorder(), a.err
			w.Header().Set("Content-Encoding", "gzip")
			if err != nil {
				err = fmt.Errorf("canary: %w", a.err)
			}
			httpadapter.WriteError(w, sent(``), err)
			require.Equal(t, a.status, w.Code)
			require.Equal(t, a.status, httpadapter.StatusOf(a.code))
			if a.code != idem.CodeNone {
				p := refused(t, w, a.status, a.code)
				require.Empty(t, p.Type)
				if a.title != "" {
					require.Equal(t, a.title, p.Title)
				}
			}
			require.Equal(t, a.after, w.Header().Get("Retry-After"))
			require.Equal(t, "en", w.Header().Get("Content-Language"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Empty(t, w.Header().Get("Content-Encoding"))
			require.NotContains(t, w.Header(), "Link")
			require.Equal(t, a.status == 401, w.Header().Get("WWW-Authenticate") == "Bearer")
			require.NotContains(t, w.Body.String(), "canary")
			require.Equal(t, w.Header().Get("Content-Length"), fmt.Sprint(w.Body.Len()))
		})
	}
}

func TestARefusalPointsToTheDocumentation(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Documentation("https://example.com/keys?lang=en"))
	w := do(s.wrap(echo), sent(`1`, without("Idempotency-Key")))
	p := refused(t, w, 400, idem.CodeMissingKey)
	require.Equal(t, "https://example.com/keys?lang=en#missing_key", p.Type)
	require.Equal(t, `<https://example.com/keys?lang=en>; rel="describedby"`, w.Header().Get("Link"))
}

func TestWriteErrorUnderAMiddlewareHasItsDocumentation(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Documentation("https://example.com/keys"))
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) { httpadapter.WriteError(w, r, idem.ErrUnknownOutcome) })
	p := refused(t, do(h, sent(`1`)), 409, idem.CodeUnknownOutcome)
	require.Equal(t, "https://example.com/keys#unknown_outcome", p.Type)
}

func TestAKeyPolicysReasonIsShown(t *testing.T) {
	t.Parallel()
	s := newService(t)
	m := newMiddleware(t, newGuard(t, s.store, idem.KeyPolicy(idem.UUIDKeys)))
	w := do(m.Wrap(http.HandlerFunc(echo)), sent(`1`, header("Idempotency-Key", "canary-key")))
	p := refused(t, w, 400, idem.CodeInvalidKey)
	require.Contains(t, p.Detail, "it is not a UUID")
	require.NotContains(t, w.Body.String(), "canary")
}

func TestAProblemIsSentAsItIs(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	httpadapter.WriteError(w, sent(``), fmt.Errorf("pay: %w", &httpadapter.Problem{
		Type: "https://example.com/funds", Title: "Too little money", Status: 422, Detail: "<5 EUR", Code: "insufficient_funds",
		Header: http.Header{"retry-after": {"9"}, "Cache-Control": {"private"}},
	}))
	p := refused(t, w, 422, "insufficient_funds")
	require.Equal(t, problem{
		Type: "https://example.com/funds", Title: "Too little money", Status: 422, Detail: "<5 EUR", Code: "insufficient_funds",
	}, p)
	require.Equal(t, "9", w.Header().Get("Retry-After"))
	require.Equal(t, "private", w.Header().Get("Cache-Control"))
	require.Empty(t, w.Header().Get("Content-Language"), "nobody said which language it is in")
}

func TestAProblemWithoutAnErrorStatusIs500(t *testing.T) {
	t.Parallel()
	for _, status := range []int{-1, 0, 100, 200, 399, 600} {
		w := httptest.NewRecorder()
		own := &httpadapter.Problem{Status: status}
		httpadapter.WriteError(w, sent(``), own)
		require.Equal(t, 500, w.Code)
		require.JSONEq(t, `{"status":500,"title":"Internal Server Error"}`, w.Body.String())
		require.Equal(t, status, own.Status, "the caller's value must not change")
	}
	require.Equal(t, "problem 422 no_funds", (&httpadapter.Problem{Status: 422, Code: "no_funds", Detail: "canary"}).Error())
}
