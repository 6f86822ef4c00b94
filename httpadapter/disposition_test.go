package httpadapter_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

// answering answers with the status that the query names.
func answering(w http.ResponseWriter, r *http.Request) {
	status, _ := strconv.Atoi(r.URL.Query().Get("status"))
	w.Header().Set("X-Own", "1")
	http.Error(w, "own body", status)
}

func answer(status int) func(*http.Request) {
	return to("POST", "/orders?status="+strconv.Itoa(status))
}

func TestTheStatusSaysWhatIsKept(t *testing.T) {
	t.Parallel()
	states := map[backend.State][]int{
		backend.Done: {200, 201, 202, 206, 226, 299, 300, 301, 303, 307, 308, 399, 400, 402, 404, 405, 406, 410, 411, 413, 415, 418, 422, 424, 431, 451, 499},
		backend.Absent: {
			401, 403, 408, 409, 412, 423, 425, 428, 429,
			500, 501, 502, 503, 504, 507, 599, 600, 999,
		},
	}
	for want, statuses := range states {
		for _, status := range statuses {
			t.Run(want.String()+" after "+strconv.Itoa(status), func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				h := s.wrap(answering)
				w := do(h, sent(`1`, answer(status)))
				first(t, w, status, "own body\n")
				require.Equal(t, "1", w.Header().Get("X-Own"))
				require.Equal(t, want, s.state(t))
				do(h, sent(`1`, answer(status)))
				require.Equal(t, want == backend.Done, s.runs.Load() == 1)
			})
		}
	}
}

func TestUnderHoldServerErrorsAreHeldAndRefusalsReleased(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]backend.State{
		201: backend.Done, 422: backend.Done, 409: backend.Absent, 429: backend.Absent,
		500: backend.Unknown, 503: backend.Unknown, 600: backend.Unknown,
	} {
		s := newServiceWith(t, idem.Hold)
		first(t, do(s.wrap(answering), sent(`1`, answer(status))), status, "own body\n")
		require.Equal(t, want, s.state(t), status)
	}
}

func TestDispositionChangesWhatIsKept(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Disposition(func(r *http.Request, status int) idem.Disposition {
		require.Equal(t, "/orders", r.URL.Path)
		switch status {
		case 503:
			return idem.Keep
		case 404:
			return idem.Release
		case 502:
			return idem.HoldIt
		case 500:
			return 77 // no disposition at all
		}
		return 0
	}))
	for status, want := range map[int]backend.State{
		503: backend.Done, 404: backend.Absent, 502: backend.Unknown, 500: backend.Absent, 201: backend.Done, 409: backend.Absent,
	} {
		key := header("Idempotency-Key", "k-"+strconv.Itoa(status))
		first(t, do(s.wrap(answering), sent(`1`, key, answer(status))), status, "own body\n")
		rec, err := s.guard.Lookup(t.Context(), idem.Key("k-"+strconv.Itoa(status)), "alice")
		if want == backend.Absent {
			require.ErrorIs(t, err, idem.ErrNotFound, status)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, rec.State, status)
	}
	replayed(t, do(s.wrap(answering), sent(`1`, header("Idempotency-Key", "k-503"), answer(503))), 503, "own body\n")
}

func TestDispositionIsAskedPerRoute(t *testing.T) {
	t.Parallel()
	s := newService(t)
	keepAll, err := s.m.Route(httpadapter.Disposition(func(*http.Request, int) idem.Disposition { return idem.Keep }))
	require.NoError(t, err)
	do(s.wrap(answering), sent(`1`, answer(500)))
	require.Equal(t, backend.Absent, s.state(t))
	do(keepAll.Wrap(http.HandlerFunc(answering)), sent(`1`, answer(500)))
	require.Equal(t, backend.Done, s.state(t))
}
