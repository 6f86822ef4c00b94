package oracle_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// routes are middlewares that differ in all that is published.
var routes = map[string][]httpadapter.Option{
	"the default": nil,
	"everything changed": {
		httpadapter.Methods("PUT"), httpadapter.Optional(), httpadapter.Strict(), httpadapter.PerRoute(), httpadapter.MaxBody(10),
		httpadapter.Header("X-Request-Key"), httpadapter.ReplayHeaders("X-Own"),
		httpadapter.Documentation("https://example.com/keys"),
		httpadapter.Call(idem.Retention(90*time.Minute), idem.Wait(2*time.Second), idem.MaxResult(99)),
	},
}

func guarded(t *testing.T, opts []httpadapter.Option) *httpadapter.Middleware {
	t.Helper()
	user := func(r *http.Request) (idem.User, error) { return idem.User(r.Header.Get("X-User")), nil }
	m, err := httpadapter.New(idem.Must(idem.New("orders", new(memtest.Store))), user, opts...)
	require.NoError(t, err)
	return m
}

// described is an API of one operation that refers to the components of a fragment.
func described(t *testing.T, m *httpadapter.Middleware, method string) []byte {
	t.Helper()
	fragment, err := m.OpenAPI()
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(fragment, &doc))
	responses := map[string]any{"201": map[string]any{
		"description": "Created.",
		"headers":     map[string]any{"Idempotent-Replayed": map[string]any{"$ref": "#/components/headers/IdempotentReplayed"}},
	}}
	for name := range doc["components"].(map[string]any)["responses"].(map[string]any) {
		responses[strings.TrimPrefix(name, "Idempotency")] = map[string]any{"$ref": "#/components/responses/" + name}
	}
	doc["paths"] = map[string]any{"/orders": map[string]any{method: map[string]any{
		"parameters": []any{map[string]any{"$ref": "#/components/parameters/IdempotencyKey"}},
		"responses":  responses,
	}}}
	whole, err := json.Marshal(doc)
	require.NoError(t, err)
	return whole
}

func open(t *testing.T, spec []byte) validator.Validator {
	t.Helper()
	doc, err := libopenapi.NewDocument(spec)
	require.NoError(t, err)
	v, errs := validator.NewValidator(doc)
	require.Empty(t, errs)
	return v
}

func TestTheFragmentIsOpenAPI(t *testing.T) {
	t.Parallel()
	for name, opts := range routes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := guarded(t, opts)
			alone, err := m.OpenAPI()
			require.NoError(t, err)
			for _, spec := range [][]byte{alone, described(t, m, "post")} {
				valid, errs := open(t, spec).ValidateDocument()
				require.True(t, valid, "%v", errs)
				require.Empty(t, errs)
			}
		})
	}
}

// TestTheValidatorRefuses: the test above says something only if a fault would be found.
func TestTheValidatorRefuses(t *testing.T) {
	t.Parallel()
	spec := strings.Replace(string(described(t, guarded(t, nil), "post")), `"in":"header"`, `"in":"head"`, 1)
	valid, _ := open(t, []byte(spec)).ValidateDocument()
	require.False(t, valid)
}

// TestWhatIsSentIsWhatIsPublished holds real requests and responses against the fragment.
func TestWhatIsSentIsWhatIsPublished(t *testing.T) {
	t.Parallel()
	m := guarded(t, []httpadapter.Option{httpadapter.MaxBody(10), httpadapter.Strict()})
	v := open(t, described(t, m, "post"))
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	for name, c := range map[string]struct {
		key, user, body string
		status          int
		valid           bool // as a request
	}{
		"a first request": {`"k-1"`, "alice", `1`, 201, true},
		"a mismatch":      {`"k-1"`, "alice", `2`, 422, true},
		"no key":          {"", "alice", `1`, 400, false},
		"a bare key":      {`k-1`, "alice", `1`, 400, false},
		"an empty key":    {`""`, "alice", `1`, 400, false},
		"no user":         {`"k-1"`, "", `1`, 401, true},
		"a large body":    {`"k-1"`, "alice", `12345678901`, 413, true},
	} {
		t.Run(name, func(t *testing.T) {
			request := func() *http.Request {
				r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(c.body))
				if c.key != "" {
					r.Header.Set("Idempotency-Key", c.key)
				}
				r.Header.Set("X-User", c.user)
				return r
			}
			if c.status == 422 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/other", http.NoBody))
				r := request()
				r.Body = io.NopCloser(strings.NewReader(`1`))
				r.ContentLength = 1
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request())
			require.Equal(t, c.status, w.Code)
			valid, errs := v.ValidateHttpRequest(request())
			require.Equal(t, c.valid, valid, "%v", errs)
			valid, errs = v.ValidateHttpResponse(request(), w.Result())
			require.True(t, valid, "%v", errs)
		})
	}
}

func TestTheFragmentIsMadeOfTheOptions(t *testing.T) {
	t.Parallel()
	read := func(name string) (text string, contract map[string]any) {
		fragment, err := guarded(t, routes[name]).OpenAPI()
		require.NoError(t, err)
		var doc struct {
			Contract map[string]any `json:"x-idempotency"`
		}
		require.NoError(t, json.Unmarshal(fragment, &doc))
		return string(fragment), doc.Contract
	}
	text, contract := read("the default")
	require.Equal(t, map[string]any{
		"specification": "draft-ietf-httpapi-idempotency-key-header-07",
		"methods":       []any{"POST", "PATCH"}, "header": "Idempotency-Key", "required": true, "quotesRequired": false,
		"scope": []any{"user"}, "retentionSeconds": 86400.0, "maxWaitSeconds": 0.0, "maxBodyBytes": 1048576.0, "maxReplayedBytes": 1048576.0,
		"replayedResponseHeaders": []any{
			"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location", "Content-Type", "Etag",
			"Last-Modified", "Link", "Location", "Retry-After",
		},
	}, contract)
	for _, said := range []string{"expires 24 hours after", "missing_key", "on all operations", "a retry is refused with 409"} {
		require.Contains(t, text, said)
	}

	text, contract = read("everything changed")
	require.Equal(t, "X-Request-Key", contract["header"])
	require.Equal(t, false, contract["required"])
	require.Equal(t, []any{"user", "method", "path"}, contract["scope"])
	require.Equal(t, 5400.0, contract["retentionSeconds"])
	require.Contains(t, contract["replayedResponseHeaders"], "X-Own")
	for _, said := range []string{"expires 90 minutes after", "waits up to 2 seconds", "on each method and path", "https://example.com/keys", "more than 99 bytes"} {
		require.Contains(t, text, said)
	}
	require.NotContains(t, text, "missing_key")
}
