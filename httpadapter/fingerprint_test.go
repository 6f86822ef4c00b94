package httpadapter_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

// again sends two requests under one key and returns the answer to the second.
func again(t *testing.T, one, two *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	require.Equal(t, 201, do(h, one).Code)
	w := do(h, two)
	require.EqualValues(t, 1, s.runs.Load())
	return w
}

func media(kind string) func(*http.Request) { return header("Content-Type", kind) }

func TestTheSameRequestIsReplayed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ one, two *http.Request }{
		"JSON with other white space":     {sent(`{"a":1,"b":[1,2]}`), sent("{ \"a\": 1,\n\t\"b\": [1, 2] }")},
		"JSON with members in any order":  {sent(`{"a":1,"b":{"c":1,"d":2}}`), sent(`{"b":{"d":2,"c":1},"a":1}`)},
		"JSON with an escape in a string": {sent(`{"a":"é"}`), sent(`{"a":"\u00e9"}`)},
		"a media type that ends in +json": {sent(`{"a":1,"b":2}`, media("application/merge-patch+json")), sent(`{"b":2,"a":1}`, media("application/merge-patch+json"))},
		"parameters of the media type":    {sent(`1`, media("application/json")), sent(`1`, media("Application/JSON ; charset=utf-8"))},
		"names of a query in any order":   {sent(`1`, to("POST", "/orders?a=1&b=2")), sent(`1`, to("POST", "/orders?b=2&a=1"))},
		"a header that does not count":    {sent(`1`), sent(`1`, header("User-Agent", "retry/2"))},
		"another host":                    {sent(`1`), sent(`1`, func(r *http.Request) { r.Host = "replica.example.com" })},
		"a proxy's form of the target":    {sent(`1`), sent(`1`, func(r *http.Request) { r.RequestURI = "http://example.com/orders" })},
		"a target that is no URL":         {sent(`1`, func(r *http.Request) { r.RequestURI = "%zz" }), sent(`1`, func(r *http.Request) { r.RequestURI = "%zz" })},
		"no body in either":               {sent(``), sent(``)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := again(t, c.one, c.two)
			require.Equal(t, 201, w.Code, w.Body.String())
			require.Equal(t, "true", w.Header().Get("Idempotent-Replayed"))
		})
	}
}

func TestAnotherRequestIsAMismatch(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ one, two *http.Request }{
		"another amount":                        {sent(`{"amount":5}`), sent(`{"amount":6}`)},
		"a number written in another way":       {sent(`{"amount":1}`), sent(`{"amount":1.0}`)},
		"integers that a float64 cannot hold":   {sent(`{"amount":9007199254740993}`), sent(`{"amount":9007199254740992}`)},
		"elements in another order":             {sent(`[1,2]`), sent(`[2,1]`)},
		"members that come twice":               {sent(`{"a":1,"a":2}`), sent(`{"a":2,"a":1}`)},
		"white space in broken JSON":            {sent(`{"a":1`), sent(`{"a": 1`)},
		"white space in text":                   {sent(`{"a":1}`, media("text/plain")), sent(`{"a": 1}`, media("text/plain"))},
		"white space in JSON that is encoded":   {sent(`{"a":1}`, header("Content-Encoding", "x")), sent(`{"a": 1}`, header("Content-Encoding", "x"))},
		"another method":                        {sent(`1`), sent(`1`, to("PATCH", "/orders"))},
		"another path":                          {sent(`1`), sent(`1`, to("POST", "/refunds"))},
		"a path written in another way":         {sent(`1`, to("POST", "/orders/a%2fb")), sent(`1`, to("POST", "/orders/a/b"))},
		"another query":                         {sent(`1`, to("POST", "/orders?a=1")), sent(`1`, to("POST", "/orders?a=2"))},
		"values of one name in another order":   {sent(`1`, to("POST", "/o?a=1&a=2")), sent(`1`, to("POST", "/o?a=2&a=1"))},
		"a name that is written in another way": {sent(`1`, to("POST", "/o?a=1&%61=2")), sent(`1`, to("POST", "/o?%61=2&a=1"))},
		"a query that does not parse":           {sent(`1`, to("POST", "/o?a=1&b=%zz")), sent(`1`, to("POST", "/o?b=%zz&a=1"))},
		"another target that is no URL":         {sent(`1`, func(r *http.Request) { r.RequestURI = "%zz" }), sent(`1`, func(r *http.Request) { r.RequestURI = "%yy" })},
		"no query":                              {sent(`1`, to("POST", "/orders?a=1")), sent(`1`, to("POST", "/orders"))},
		"another media type":                    {sent(`1`), sent(`1`, media("text/plain"))},
		"two media types":                       {sent(`1`), sent(`1`, func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") })},
		"another media type, both raw":          {sent(`1`, media("text/plain")), sent(`1`, media("text/csv"))},
		"another content coding, both raw":      {sent(`1`, header("Content-Encoding", "br")), sent(`1`, header("Content-Encoding", "gzip"))},
		"a path and a query that move":          {sent(`1`, to("POST", "/o?a")), sent(`1`, to("POST", "/oa"))},
		"another content coding":                {sent(`1`), sent(`1`, header("Content-Encoding", "gzip"))},
		"a body where there was none":           {sent(``), sent(`1`)},
		"a path and a body that move":           {sent(`ments`, to("POST", "/pay"), media("")), sent(``, to("POST", "/payments"), media(""))},
		"a query and a media type that move":    {sent(`1`, to("POST", "/o?atext/"), media("plain")), sent(`1`, to("POST", "/o?a"), media("text/plain"))},
		"raw bytes that look like another form": {sent(`{"a":1}`), sent(`{"a":1}`, media("application/json2"))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := again(t, c.one, c.two)
			refused(t, w, 422, idem.CodeMismatch)
		})
	}
}

func TestAMismatchTellsNothingOfEitherRequest(t *testing.T) {
	t.Parallel()
	canary := func(n string) *http.Request {
		return sent(`"canary-body-`+n+`"`, to("POST", "/canary-path-"+n+"?q=canary-query-"+n),
			header("Idempotency-Key", "canary-key"), header(userHeader, "canary-user"))
	}
	w := again(t, canary("1"), canary("2"))
	refused(t, w, 422, idem.CodeMismatch)
	require.NotContains(t, w.Body.String(), "canary")
	for name, values := range w.Header() {
		require.NotContains(t, name+strings.Join(values, ""), "canary")
	}
}

// TestAChangedURLDoesNotCount: handlers further out, such as http.StripPrefix and mounts, change what r.URL says. Two
// prefixes over one handler stay two operations.
func TestAChangedURLDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newService(t)
	mux := http.NewServeMux()
	mux.Handle("/v1/", http.StripPrefix("/v1", s.wrap(echo)))
	mux.Handle("/v2/", http.StripPrefix("/v2", s.wrap(echo)))
	first(t, do(mux, sent(`1`, to("POST", "/v1/orders"))), 201, `1`)
	replayed(t, do(mux, sent(`1`, to("POST", "/v1/orders"))), 201, `1`)
	refused(t, do(mux, sent(`1`, to("POST", "/v2/orders"))), 422, idem.CodeMismatch)
}

// TestARequestThatCameFromNoServerHasItsURL: without a RequestURI the URL is all there is.
func TestARequestThatCameFromNoServerHasItsURL(t *testing.T) {
	t.Parallel()
	bare := func(target string) *http.Request {
		r := sent(`1`)
		u, err := url.Parse(target)
		require.NoError(t, err)
		r.URL, r.RequestURI = u, ""
		return r
	}
	require.Equal(t, 201, again(t, bare("/a%2fb?x=1&y=2"), bare("/a%2fb?y=2&x=1")).Code)
	require.Equal(t, 422, again(t, bare("/a%2fb"), bare("/a/b")).Code)
	require.Equal(t, 422, again(t, bare("/a?x=1"), bare("/a")).Code)
}

// TestAHandlerCannotChangeWhatIsCompared: the fingerprint is taken once, before the handler has the request.
func TestAHandlerCannotChangeWhatIsCompared(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
		r.Method, r.URL.Path, r.RequestURI = "PUT", "/elsewhere", "/elsewhere"
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Idempotency-Key", "other")
		r.Body = http.NoBody
		w.WriteHeader(http.StatusCreated)
	})
	first(t, do(h, sent(`{"a":1}`)), 201, "")
	replayed(t, do(h, sent(`{"a": 1}`)), 201, "")
}

func TestMultipartBodiesCompareByteForByte(t *testing.T) {
	t.Parallel()
	form := func(boundary string) *http.Request {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		require.NoError(t, w.SetBoundary(boundary))
		require.NoError(t, w.WriteField("amount", "5"))
		require.NoError(t, w.Close())
		return sent(body.String(), media(w.FormDataContentType()))
	}
	require.Equal(t, 201, again(t, form("one"), form("one")).Code)
	require.Equal(t, 422, again(t, form("one"), form("two")).Code)
}
