package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(m.Run())
}

// open serves the shop on a file, as a process does.
func open(t *testing.T, file string) http.Handler {
	t.Helper()
	store, err := backend.Open(t.Context(), "sqlite:"+file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	guard, err := idem.New("gin-example", store.Store)
	require.NoError(t, err)
	s, err := newShop(guard)
	require.NoError(t, err)
	return s.routes()
}

func post(h http.Handler, path, user, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+user)
	}
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWritesAreSafeToRetry(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	h := open(t, file)
	for _, c := range []struct {
		name, path, user, key, body string
		status                      int
		want                        string
		replay                      bool
	}{
		{"an order", "/v1/orders", "alice", "o-1", `{"item":"book","amount":1}`, 201, `{"amount":1,"id":"1","item":"book"}`, false},
		{"its retry", "/v1/orders", "alice", "o-1", `{"item":"book","amount":1}`, 201, `{"amount":1,"id":"1","item":"book"}`, true},
		{"another order under its key", "/v1/orders", "alice", "o-1", `{"item":"book","amount":2}`, 422, `"mismatch"`, false},
		{"bob's order under the same key", "/v1/orders", "bob", "o-1", `{"item":"book","amount":1}`, 201, `"id":"2"`, false},
		{"nobody's order", "/v1/orders", "", "o-1", `{"item":"book","amount":1}`, 401, `"missing_user"`, false},
		{"an order that is none", "/v1/orders", "alice", "o-2", `{}`, 400, `an item and an amount`, false},
		{"a business error", "/v1/orders", "alice", "o-3", `{"item":"book","amount":101}`, 422, `{"error":"sold out"}`, false},
		{"the retry of a business error", "/v1/orders", "alice", "o-3", `{"item":"book","amount":101}`, 422, `{"error":"sold out"}`, true},
		{"a transfer", "/v1/accounts/7/transfers", "alice", "t-1", `{"cents":500}`, 200, `{"id":1,"from":"alice","to":"7","cents":500}`, false},
		{"its retry", "/v1/accounts/7/transfers", "alice", "t-1", `{"cents":500}`, 200, `{"id":1,"from":"alice","to":"7","cents":500}`, true},
		{"a transfer of nothing", "/v1/accounts/7/transfers", "alice", "t-2", `{"cents":0}`, 422, `"no_amount"`, false},
	} {
		w := post(h, c.path, c.user, c.key, c.body)
		require.Equal(t, c.status, w.Code, c.name)
		require.Contains(t, w.Body.String(), c.want, c.name)
		require.Equal(t, c.replay, w.Header().Get("Idempotent-Replayed") == "true", c.name)
	}
	w := post(open(t, file), "/v1/orders", "alice", "o-1", `{"item":"book","amount":1}`)
	require.Equal(t, "true", w.Header().Get("Idempotent-Replayed"), "another process has the answer too")
	require.Equal(t, "/v1/orders/1", w.Header().Get("Location"))
}

func TestItServesUntilItIsToldToEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, "127.0.0.1:0", "sqlite:"+filepath.Join(t.TempDir(), "test.db"), stdout)
		_ = stdout.Close()
	}()
	from := bufio.NewReader(said)
	line, err := from.ReadString('\n')
	require.NoError(t, err)
	base := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	go func() { _, _ = io.Copy(io.Discard, from) }()

	resp, err := http.Post(base+"/v1/orders", "application/json", strings.NewReader(`{}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	stop()
	require.NoError(t, <-ended)
}

func TestAWrongStartSaysWhichFlag(t *testing.T) {
	t.Parallel()
	db := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", "memory:", io.Discard), "-backend")
	require.ErrorContains(t, run(t.Context(), "no address", db, io.Discard), "-addr")
}
