package httpadapter_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

func TestARouteHasItsOwnOptionsAndTheSameRecords(t *testing.T) {
	t.Parallel()
	s := newService(t)
	optional, err := s.m.Route(httpadapter.Optional(), httpadapter.MaxBody(4))
	require.NoError(t, err)
	h := optional.Wrap(s.counted(echo))
	first(t, do(h, sent(`1`, without("Idempotency-Key"))), 201, `1`)
	refused(t, do(h, sent(`12345`)), 413, httpadapter.CodeBodyTooLarge)
	refused(t, do(s.wrap(echo), sent(`1`, without("Idempotency-Key"))), 400, idem.CodeMissingKey)
	first(t, do(s.wrap(echo), sent(`12`)), 201, `12`)
	replayed(t, do(h, sent(`12`)), 201, `12`)
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	t.Parallel()
	cases := map[string]httpadapter.Option{
		"Methods":       httpadapter.Methods(),
		"Header":        httpadapter.Header("Idempotency Key"),
		"MaxBody":       httpadapter.MaxBody(-1),
		"Documentation": httpadapter.Documentation("/docs"),
		"Challenge":     httpadapter.Challenge(""),
		"OnNotStored":   httpadapter.OnNotStored(7),
		"Disposition":   httpadapter.Disposition(nil),
		"ReplayHeaders": httpadapter.ReplayHeaders("Set-Cookie"),
		"Retention":     httpadapter.Call(idem.Retention(-1)),
		"CallOption":    httpadapter.Call(nil),
		"Option":        nil,
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			_, err := httpadapter.New(s.guard, byHeader, o)
			_, routeErr := s.m.Route(o)
			for _, err := range []error{err, routeErr} {
				var wrong *idem.OptionError
				require.ErrorAs(t, err, &wrong)
				require.Equal(t, name, wrong.Option)
				require.NotEmpty(t, wrong.Reason)
			}
		})
	}
}

func TestMoreOptionsThatAreWrong(t *testing.T) {
	t.Parallel()
	g := newService(t).guard
	for name, o := range map[string]httpadapter.Option{
		"a method with a space":        httpadapter.Methods("POST", "P T"),
		"an empty method":              httpadapter.Methods(""),
		"a header with a line break":   httpadapter.Header("A\r\nB"),
		"an empty header":              httpadapter.Header(""),
		"a body of 2 GiB":              httpadapter.MaxBody(2 << 30),
		"documentation with a user":    httpadapter.Documentation("https://user:pw@example.com/"),
		"documentation with a hash":    httpadapter.Documentation("https://example.com/#keys"),
		"documentation without a host": httpadapter.Documentation("https:///keys"),
		"documentation by mail":        httpadapter.Documentation("mailto:a@example.com"),
		"documentation with a break":   httpadapter.Documentation("https://example.com/\r\nX: 1"),
		"documentation with brackets":  httpadapter.Documentation("https://example.com/>;rel=x"),
		"a challenge with a break":     httpadapter.Challenge("Bearer\r\nX: 1"),
		"a lease over MaxRun":          httpadapter.Call(idem.Lease(time.Hour)),
	} {
		_, err := httpadapter.New(g, byHeader, o)
		var wrong *idem.OptionError
		require.ErrorAs(t, err, &wrong, name)
	}
}

func TestWhatMustNotBeReplayedCannotBeAdded(t *testing.T) {
	t.Parallel()
	g := newService(t).guard
	for _, name := range []string{
		"Set-Cookie", "set-cookie", "Set-Cookie2", "Date", "WWW-Authenticate", "Proxy-Authenticate", "Connection", "Keep-Alive",
		"TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection", "Content-Length", "Idempotent-Replayed",
		"Access-Control-Allow-Origin", "", "X Y",
	} {
		_, err := httpadapter.New(g, byHeader, httpadapter.ReplayHeaders("X-Fine", name))
		var wrong *idem.OptionError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, "ReplayHeaders", wrong.Option)
	}
}

func TestWhatAMiddlewareCannotBeMadeOf(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var wrong *idem.OptionError
	_, err := httpadapter.New(nil, byHeader)
	require.ErrorAs(t, err, &wrong)
	_, err = httpadapter.New(new(idem.Guard), byHeader)
	require.ErrorAs(t, err, &wrong)
	_, err = httpadapter.New(s.guard, nil)
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "user", wrong.Option)
	_, err = httpadapter.New(newGuard(t, s.store, idem.Tx), byHeader)
	require.ErrorIs(t, err, idem.ErrWrongGuarantee)
}

func TestTheGuardsOptionsCanBeSetPerRoute(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Call(idem.MaxResult(8)))
	h := s.wrap(echo)
	first(t, do(h, sent(`"longer than eight"`)), 201, `"longer than eight"`)
	refused(t, do(h, sent(`"longer than eight"`)), 409, idem.CodeAnswerNotKept)

	kept, err := s.m.Route(httpadapter.Call(idem.Retention(time.Hour)))
	require.NoError(t, err)
	refused(t, do(kept.Wrap(s.counted(echo)), sent(`"longer than eight"`)), 409, idem.CodeAnswerNotKept)
	third := header("Idempotency-Key", "k-3")
	first(t, do(kept.Wrap(s.counted(echo)), sent(`"longer than eight"`, third)), 201, `"longer than eight"`)
	refused(t, do(kept.Wrap(s.counted(echo)), sent(`"longer than eight"`, third)), 409, idem.CodeAnswerNotKept)

	roomy, err := s.m.Route(httpadapter.Call(idem.MaxResult(1 << 10)))
	require.NoError(t, err)
	h = roomy.Wrap(s.counted(echo))
	other := header("Idempotency-Key", "k-2")
	first(t, do(h, sent(`"longer than eight"`, other)), 201, `"longer than eight"`)
	replayed(t, do(h, sent(`"longer than eight"`, other)), 201, `"longer than eight"`)
}

func TestPerRouteGivesEveryRouteItsOwnRecords(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.PerRoute())
	var keys []idem.Key
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		attempt, _ := idem.AttemptFrom(r.Context())
		keys = append(keys, attempt.Key)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path)
	})
	for _, long := range []string{"k-1", strings.Repeat("k", 222), strings.Repeat("k", 223), strings.Repeat("k", 255)} {
		key := header("Idempotency-Key", long)
		first(t, do(h, sent(`1`, key)), 200, "POST /orders")
		first(t, do(h, sent(`1`, key, to("PATCH", "/orders"))), 200, "PATCH /orders")
		first(t, do(h, sent(`1`, key, to("POST", "/refunds?x=1"))), 200, "POST /refunds")
		replayed(t, do(h, sent(`1`, key)), 200, "POST /orders")
		refused(t, do(h, sent(`2`, key)), 422, idem.CodeMismatch)
		refused(t, do(h, sent(`1`, key, to("POST", "/refunds?x=2"))), 422, idem.CodeMismatch)
	}
	require.Len(t, keys, 12)
	require.Regexp(t, `^k-1 [0-9a-f]{32}$`, keys[0])
	require.Regexp(t, `^k{222} [0-9a-f]{32}$`, keys[3])
	require.Regexp(t, `^[0-9a-f]{64} [0-9a-f]{32}$`, keys[6])
	for i, k := range keys {
		require.NotContains(t, keys[:i], k)
	}
}
