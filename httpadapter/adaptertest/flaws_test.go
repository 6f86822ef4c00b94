package adaptertest_test

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// flaw is one way to break the contract, the row that must find it, and an adapter that breaks it so.
type flaw struct {
	name, row string
	build     builder
}

// flaws holds at least one flaw for every row of Rules.
var flaws = []flaw{
	{"answers every first request with 200", "the first request with a key runs the handler", replying(firstIs200)},
	{"forgets what it answered", "a retry gets the answer again", fresh},
	{"lets requests without a key pass", "a request without a key is refused", option(httpadapter.Optional())},
	{
		"takes the quotes for a part of the key", "a key is a quoted string or the bare value",
		value("Idempotency-Key", func(v string) string { return strings.ReplaceAll(v, `"key-1"`, `"\"key-1\""`) }),
	},
	{
		"does not decode", "a quoted key is decoded",
		value("Idempotency-Key", func(v string) string { return strings.ReplaceAll(v, `\\`, `\\\\`) }),
	},
	{
		"takes anything for a key", "a malformed key is refused",
		value("Idempotency-Key", func(v string) string { return "k" + hex.EncodeToString([]byte(v)) }),
	},
	{
		"takes the first of two keys", "a key that is sent twice is refused",
		blind(func(r *http.Request, body []byte) []byte {
			r.Header.Set("Idempotency-Key", r.Header.Get("Idempotency-Key"))
			return body
		}),
	},
	{
		"cuts keys at 255 bytes", "a key has at most 255 bytes",
		value("Idempotency-Key", func(v string) string { return strings.Trim(v, `"`)[:min(255, len(strings.Trim(v, `"`)))] }),
	},
	{"folds the case of keys", "keys differ in every byte", value("Idempotency-Key", strings.ToLower)},
	{
		"cuts keys at 250 bytes", "keys differ in every byte",
		value("Idempotency-Key", func(v string) string { return v[:min(250, len(v))] }),
	},
	{"does not know Strict", "strict routes take quoted keys only", deaf},
	{"does not know Header", "another header may carry the key", deaf},
	{"asks for the user first", "a key is checked before anything else is done", asksFirst},
	{
		"reads the body first", "a key is checked before anything else is done",
		blind(func(_ *http.Request, body []byte) []byte { return body }),
	},

	{"does not look at the body", "a key with another body is refused", blind(func(*http.Request, []byte) []byte { return nil })},
	{"does not look at the path", "a key on another path is refused", target(func(*http.Request) string { return "/" })},
	{
		"does not look at the query", "a key on another path is refused",
		target(func(r *http.Request) string { return r.URL.EscapedPath() }),
	},
	{
		"does not look at the method", "a key with another method is refused",
		blind(func(r *http.Request, body []byte) []byte {
			r.Method = "POST"
			return body
		}),
	},
	{
		"does not look at the media type", "a key with another media type is refused",
		value("Content-Type", func(string) string { return "application/json" }),
	},
	{
		"does not look at the content coding", "a key with another media type is refused",
		value("Content-Encoding", func(string) string { return "" }),
	},
	{"compares the decoded path", "a path counts as it was sent", target(func(r *http.Request) string { return r.URL.Path })},
	{
		"joins path and body", "path and body are kept apart",
		blind(func(r *http.Request, body []byte) []byte {
			body, r.RequestURI = append([]byte(r.RequestURI), body...), "/"
			return body
		}),
	},
	{
		"compares JSON byte for byte", "JSON compares by its meaning",
		value("Content-Type", func(string) string { return "text/plain" }),
	},
	{"reads numbers as floats", "numbers compare digit by digit", blind(floats)},
	{
		"takes everything for JSON", "what is not JSON compares byte for byte",
		value("Content-Type", func(string) string { return "application/json" }),
	},
	{
		"compares queries as they are", "names of a query may change places",
		target(func(r *http.Request) string { return strings.ReplaceAll(r.RequestURI, "&", "%26") }),
	},
	{
		"takes a body without a length for another one", "a body without its length is the same request",
		target(func(r *http.Request) string {
			if r.ContentLength < 0 {
				return "/chunked"
			}
			return r.RequestURI
		}),
	},
	{
		"compares user agents", "headers that mean nothing here do not count",
		target(func(r *http.Request) string { return "/" + hex.EncodeToString([]byte(r.UserAgent())) }),
	},
	{
		"compares parameters of the media type", "headers that mean nothing here do not count",
		value("Content-Type", func(v string) string { return strings.ReplaceAll(v, ";", "x") }),
	},
	{"names the key that it refuses", "a mismatch repeats nothing", after(namesTheKey)},

	{
		"has one user for all", "a key belongs to its user",
		whose(func(idem.User, error) (idem.User, error) { return "everybody", nil }),
	},
	{"has one guard for all", "guards do not answer for each other", nil}, // oneGuard, made anew for the rule
	{"keeps its records in one process", "processes share their records", alone},
	{"does not know PerRoute", "routes may have records of their own", deaf},
	{"guards every method", "other methods pass untouched", option(httpadapter.Methods("GET", "PUT", "POST", "PATCH", "DELETE"))},
	{"does not know Methods", "the service chooses the methods", deaf},
	{"takes an empty key for none", "a key may be optional", before(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "" {
			r.Header.Del("Idempotency-Key")
		}
	})},
	{"does not know itself", "a middleware inside of another is one", bareContext},

	{"does not mark replays", "a replay says that it is one", replying(onReplay(func(h http.Header) { h.Del("Idempotent-Replayed") }))},
	{"marks everything", "a replay says that it is one", replying(func(h http.Header, status int, body []byte) (int, []byte) {
		h.Set("Idempotent-Replayed", "true")
		return status, body
	})},
	{"replays text alone", "a body comes back byte for byte", replying(textAlone)},
	{"takes an empty answer for none", "an answer without a body replays", after(rerunEmpty)},
	{"keeps 2xx alone", "errors and redirects replay", disposition(func(status int) idem.Disposition {
		if status >= 300 {
			return idem.Release
		}
		return 0
	})},
	{"replays no Link", "a replay describes its answer", replying(onReplay(func(h http.Header) { h.Del("Link") }))},
	{"replays the first of several values", "a replay describes its answer", replying(onReplay(func(h http.Header) {
		h.Set("Link", h.Get("Link"))
	}))},
	{"replays cookies", "a replay has no cookie", replying(onReplay(func(h http.Header) { h.Set("Set-Cookie", "session=alice") }))},
	{"drops cookies", "the first answer keeps all its headers", replying(func(h http.Header, status int, body []byte) (int, []byte) {
		h.Del("Set-Cookie")
		return status, body
	})},
	{"does not know ReplayHeaders", "the service adds headers to replays", deaf},
	{"lets replays be cached", "a replay is not cached", replying(onReplay(func(h http.Header) { h.Del("Cache-Control") }))},
	{"guesses no type", "a type that was guessed replays", replying(onReplay(func(h http.Header) { h["Content-Type"] = nil }))},
	{"takes the last status", "what comes after the status does not count", inner(takesTheLast)},
	{"does not tell the length", "an answer has its length", replying(func(h http.Header, status int, body []byte) (int, []byte) {
		h.Del("Content-Length")
		return status, body
	})},

	{"releases what is not 2xx", "final answers are kept", disposition(func(status int) idem.Disposition {
		if status >= 300 {
			return idem.Release
		}
		return 0
	})},
	{"keeps everything", "answers of the moment free the key", disposition(func(int) idem.Disposition { return idem.Keep })},
	{"keeps 5xx", "a key that is free may carry another request", disposition(func(int) idem.Disposition { return idem.Keep })},
	{"releases a 5xx under Hold", "under Hold a 5xx is held", disposition(func(status int) idem.Disposition {
		if status >= 500 {
			return idem.Release
		}
		return 0
	})},
	{"does not know Disposition", "the service chooses what is kept", deaf},
	{"forgets where the answer was", "an answer that is too large is a tombstone", replying(onProblem(func(h http.Header) { h.Del("Location") }))},
	{"runs what was too large again", "an answer that is too large is a tombstone", after(rerun(idem.CodeAnswerNotKept))},
	{"sends while the handler writes", "nothing is sent before it is stored", inner(writesThrough)},
	{"answers for a handler that panics", "a panic frees the key", inner(recovers(500))},
	{"frees what panicked under Hold", "under Hold a panic is held", inner(recovers(429))},

	{"refuses in plain text", "refusals are problems", replying(onProblem(func(h http.Header) { h.Set("Content-Type", "text/plain") }))},
	{"does not name its language", "refusals are problems", replying(onProblem(func(h http.Header) { h.Del("Content-Language") }))},
	{"does not know Documentation", "refusals point to the documentation", deaf},
	{"has titles of its own", "titles are those of the draft", replying(func(h http.Header, status int, body []byte) (int, []byte) {
		return status, bytes.ReplaceAll(body, []byte("already used"), []byte("ALREADY USED"))
	})},
	{
		"takes nobody for somebody", "nobody is refused with a challenge",
		whose(func(u idem.User, err error) (idem.User, error) { return u + "!", err }),
	},
	{"does not challenge", "nobody is refused with a challenge", replying(onProblem(func(h http.Header) { h.Del("Www-Authenticate") }))},
	{
		"takes an error for nobody", "a user that is not known is not nobody",
		whose(func(u idem.User, err error) (idem.User, error) {
			if err != nil {
				return "", idem.ErrMissingUser
			}
			return u, nil
		}),
	},
	{
		"does not look at an error of the user", "a user that is not known is not nobody",
		whose(func(u idem.User, _ error) (idem.User, error) { return u, nil }),
	},
	{"claims what it refuses", "a refusal claims nothing", after(claims)},
	{"clears the header", "headers from further out stay", before(func(w http.ResponseWriter, _ *http.Request) { clear(w.Header()) })},

	{"hands on no body", "the handler gets the whole body", inner(func(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		r.Body = http.NoBody
		next(w, r)
	})},
	{"hands on no length", "the handler gets the whole body", inner(func(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		r.ContentLength = -1
		next(w, r)
	})},
	{"has a limit of its own", "a body may be as large as the limit", option(httpadapter.MaxBody(999))},
	{"does not know MaxBody", "a body may be as large as the limit", deaf},
	{"has no limit", "the limit is a mebibyte", option(httpadapter.MaxBody(2 << 20))},
	{"reads before it looks at the length", "a client that waits is refused before it sends", before(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1))
	})},
	{"refuses to continue", "a client that waits sends what is wanted", refusesToContinue},
	{"runs what it got", "a body that was cut short runs nothing", runsWhatItGot},
	{"takes an empty body for the body", "a body that was read before is refused", before(func(_ http.ResponseWriter, r *http.Request) { r.ContentLength = -1 })},
	{"does not look for a form", "a form that was parsed before is refused", before(func(_ http.ResponseWriter, r *http.Request) {
		r.ContentLength, r.PostForm, r.MultipartForm = -1, nil, nil
	})},

	{"strips the query", "the handler gets the request as it came", inner(func(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = ""
		next(w, r)
	})},
	{"gives the handler an empty context", "the handler knows attempt and user", inner(emptyContext)},
	{"gives the handler an empty context", "the handler's context keeps its values", inner(emptyContext)},
	{"ends the handler with its client", "a client that hangs up loses nothing", inner(attached)},
	{"can be unwrapped", "the handler cannot stream", inner(func(outer came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		next(leaky{w, outer.w}, r)
	})},
	{"sends informational answers", "informational answers are dropped", inner(func(outer came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		next(early{w, outer.w}, r)
	})},
	{"takes late writes", "a handler that answers late counts for nothing", inner(func(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		next(agreeable{w}, r)
	})},
	{"closes the connection on a replay", "connections are kept alive", replying(onReplay(func(h http.Header) { h.Set("Connection", "close") }))},
	{"refuses HTTP/2", "HTTP/2 is the same", before(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
	})},

	{"does not say when to come back", "a duplicate in flight is refused", replying(onProblem(func(h http.Header) { h.Del("Retry-After") }))},
	{"runs a duplicate in flight", "a duplicate in flight is refused", after(rerun(idem.CodeInFlight))},
	{"takes a mismatch for in flight", "a mismatch in flight is a mismatch", replying(func(_ http.Header, status int, body []byte) (int, []byte) {
		if status == 422 {
			status = 409
		}
		return status, body
	})},
	{"does not know Documentation", "a refusal in flight points to the documentation", deaf},
	{"keeps its claims in one process", "a duplicate in another process is in flight", alone},
	{"keeps its claims in one process", "of simultaneous requests one runs", alone},
	{"lets one request in at a time", "another key is not in flight", oneAtATime()},
	{"does not know Wait", "a duplicate may wait", deaf},
	{"forgets what it refuses", "a waiter that gives up leaves the owner alone", after(forgets)},

	{"replays for two days", "an answer replays for its retention", option(httpadapter.Call(idem.Retention(48 * time.Hour)))},
	{"replays for an hour", "an answer replays for its retention", option(httpadapter.Call(idem.Retention(time.Hour)))},
	{"does not know Retention", "a route may have its own retention", deaf},
	{"never takes over", "a lapsed claim is taken over", option(httpadapter.Call(idem.Lease(24*time.Hour), idem.MaxRun(24*time.Hour)))},
	{"sends each handler's own answer", "a late answer does not count", inner(writesThrough)},
	{"runs a lapsed claim again under Hold", "under Hold a lapsed claim is unknown", after(rerun(idem.CodeUnknownOutcome))},

	{"fails open", "where the store is down nothing runs", after(rerun(idem.CodeUnavailable))},
	{"runs the handler twice", "a lost acknowledgement runs nothing twice", inner(func(_ came, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
		next(httptest.NewRecorder(), r)
		next(w, r)
	})},
	{"refuses what it could not store", "an answer that could not be stored is delivered", option(httpadapter.OnNotStored(httpadapter.Refuse))},
	{"does not know OnNotStored", "an answer that could not be stored may be refused", deaf},
}
