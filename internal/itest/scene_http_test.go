package itest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
	"github.com/idem-go/idem/httpadapter/adaptertest"
)

// httpScenes are exchanges by every adapter. What its client is sent instead of an answer of the handler is heard, and so is
// what the server of net/http logs.
func httpScenes() (all []scene) {
	for router, build := range adapters {
		for _, x := range exchanges {
			all = append(all, scene{router + ", " + x.name, idem.CodeNone, func(a *actor) error {
				x.play(a.listen(build, x))
				return nil
			}})
		}
	}
	slices.SortFunc(all, func(a, b scene) int { return strings.Compare(a.name, b.name) })
	return all
}

// exchange is a scene over HTTP.
type exchange struct {
	name    string
	opts    []idem.GuardOption
	options []httpadapter.Option
	handler http.HandlerFunc // nil answers
	user    error
	outer   func(http.Handler) http.Handler
	fault   memtest.Fault
	play    func(*listener)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func always(codes ...int) func(*listener) {
	return func(l *listener) {
		for i, code := range codes {
			require.Equal(l, code, l.post(markKey, markBody), "request %d", i+1)
		}
	}
}

var exchanges = []exchange{
	{name: "an answer and its replay", play: always(200, 200)},
	{name: "no key", play: func(l *listener) { require.Equal(l, 400, l.post("", markBody)) }},
	{name: "a key that is not closed", play: func(l *listener) { require.Equal(l, 400, l.post(`"`+markKey, markBody)) }},
	{name: "a key with something behind it", play: func(l *listener) { require.Equal(l, 400, l.post(`"`+markKey+`" `+markKey, markBody)) }},
	{name: "a key that is too long", play: func(l *listener) { require.Equal(l, 400, l.post(strings.Repeat(markKey, 50), markBody)) }},
	{name: "a key that a policy refuses", opts: []idem.GuardOption{idem.KeyPolicy(idem.UUIDKeys)}, play: always(400)},
	{name: "no user", user: fmt.Errorf("%s: %w", markUser, idem.ErrMissingUser), play: always(401)},
	{name: "a user who cannot be found", user: errors.New(markUser + " " + markPassword), play: always(503)},
	{name: "a mismatch", play: func(l *listener) {
		require.Equal(l, 200, l.post(markKey, markBody))
		require.Equal(l, 422, l.post(markKey, markBody+markBody))
	}},
	{name: "a body that is too large", options: []httpadapter.Option{httpadapter.MaxBody(4)}, play: always(413)},
	{name: "a body that was read before", play: always(500), outer: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			next.ServeHTTP(w, r)
		})
	}},
	{name: "a store that is down", fault: memtest.Fault{Op: memtest.OpBegin, Count: -1, Err: errDown}, play: always(503)},
	{name: "an answer that is too large", opts: []idem.GuardOption{idem.MaxResult(1)}, play: always(200, 409)},
	{name: "an outcome that is unknown", opts: []idem.GuardOption{idem.Hold}, handler: status(502), play: always(502, 409)},
	{
		name: "an answer that cannot be stored", fault: memtest.Fault{Op: memtest.OpComplete, Count: -1, Err: backend.ErrUnsupported},
		options: []httpadapter.Option{httpadapter.OnNotStored(httpadapter.Refuse)}, play: always(500),
	},
	{name: "an error of the handler's", handler: func(w http.ResponseWriter, r *http.Request) {
		httpadapter.WriteError(w, r, errors.New(markBody+markFailure))
	}, play: always(500)},
	{name: "a panic", handler: func(http.ResponseWriter, *http.Request) { panic("the handler panics") }, play: func(l *listener) {
		require.Zero(l, l.post(markKey, markBody), "the connection ends")
	}},
	{name: "a duplicate in flight", play: func(l *listener) {
		l.during = func() { require.Equal(l, 409, l.post(markKey, markBody)) }
		require.Equal(l, 200, l.post(markKey, markBody))
	}},
}

// listener is an actor with a server.
type listener struct {
	*actor
	url    string
	during func() // what happens while the handler runs for the first time
}

// listen has a server with an adapter listen. What it has to say goes to the default logger.
func (a *actor) listen(build func(adaptertest.TB, adaptertest.Service) http.Handler, x exchange) *listener {
	a.Helper()
	store, g := a.memory(x.opts...)
	if x.fault.Op != 0 {
		store.Inject(x.fault)
	}
	l := &listener{actor: a}
	next := func(w http.ResponseWriter, r *http.Request) {
		if during := l.during; during != nil {
			l.during = nil
			during()
		}
		if x.handler != nil {
			x.handler(w, r)
			return
		}
		w.Header().Set("X-Answer", markAnswer)
		_, _ = io.WriteString(w, markAnswer)
	}
	user := func(*http.Request) (idem.User, error) { return markUser, x.user }
	handler := build(a, adaptertest.Service{Guard: g, User: user, Options: x.options, Next: next})
	if x.outer != nil {
		handler = x.outer(handler)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = nil
	server.Start()
	a.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// post sends the marked request and tells the canary what comes instead of an answer. It returns the status, or 0 where
// the connection ends.
func (l *listener) post(key, body string) int {
	l.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(l.Context()), http.MethodPost, l.url+"/"+markBody+"?of="+markBody, strings.NewReader(body))
	require.NoError(l, err)
	req.Header.Set("Authorization", "Bearer "+markPassword)
	if key != "" {
		req.Header.Set(httpadapter.DefaultHeader, key)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	sent, err := io.ReadAll(res.Body)
	require.NoError(l, err)
	if res.StatusCode >= 400 {
		l.canary.refused(res.StatusCode, res.Header, sent)
	}
	return res.StatusCode
}
