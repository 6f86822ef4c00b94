package main

import (
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthAsksBothDatabases(t *testing.T) {
	t.Parallel()
	a := serve(t)
	r := a.do(t, call{method: "GET", path: "/healthz"})
	require.Equal(t, http.StatusOK, r.status)
	require.JSONEq(t, `{"status":"ok"}`, r.body)
	_, err := a.store.db.ExecContext(t.Context(), `ALTER TABLE idem_records RENAME TO gone`)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, a.do(t, call{method: "GET", path: "/healthz"}).status)

	b := serve(t, inMemory)
	require.Equal(t, http.StatusOK, b.do(t, call{method: "GET", path: "/healthz"}).status)
	require.NoError(t, b.store.db.Close())
	require.Equal(t, http.StatusServiceUnavailable, b.do(t, call{method: "GET", path: "/healthz"}).status)
}

func TestTheLogSaysWhatTheClientIsNotTold(t *testing.T) {
	t.Parallel()
	a := serve(t)
	_, err := a.store.db.ExecContext(t.Context(), `DROP TABLE predictions; DROP TABLE payouts`)
	require.NoError(t, err)
	for _, c := range []call{predict("canary-key"), pay("canary-key"), get("/predictions"), get("/payouts")} {
		c.user = "canary-user"
		c.body = `{"market_id":"canary-body","outcome":"yes","stake":1,"amount":1}`
		r := a.do(t, c)
		require.Equal(t, http.StatusInternalServerError, r.status)
		require.NotContains(t, r.body, "no such table")
		require.NotContains(t, r.body, "canary")
	}
	logged := a.logged()
	for _, route := range []string{"POST /predictions: ", "POST /payouts: ", "GET /predictions: ", "GET /payouts: "} {
		require.Contains(t, logged, route)
	}
	require.Contains(t, logged, "no such table")
	require.NotContains(t, logged, "canary")
}

func TestProcessesMigrateOneFileAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			s, err := openStore(t.Context(), file, "")
			if err != nil {
				t.Error(err)
				return
			}
			var version int
			if err := s.db.GetContext(t.Context(), &version, `PRAGMA user_version`); err != nil || version != 3 {
				t.Errorf("version %d: %v", version, err)
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestWhereToFindAServer(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80",
		"0.0.0.0:80":   "http://127.0.0.1:80",
		"[::]:80":      "http://127.0.0.1:80",
		"[::1]:80":     "http://[::1]:80",
	} {
		addr, err := net.ResolveTCPAddr("tcp", listen)
		require.NoError(t, err)
		require.Equal(t, want, baseURL(addr), listen)
	}
}
