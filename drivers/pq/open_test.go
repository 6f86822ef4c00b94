package pq

import (
	"testing"

	"github.com/stretchr/testify/require"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestAWrongDataSourceIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"a port that is none": "postgres://app:hunter2@127.0.0.1:port/db",
		"a bad escape":        "postgres://app:hunter2%zz@127.0.0.1/db",
		"nobody there":        "postgres://app:hunter2@127.0.0.1:1/db?connect_timeout=2",
		"a wrong ssl mode":    "postgres://app:hunter2@127.0.0.1:1/db?sslmode=hunter2",
	} {
		_, _, err := Open(t.Context(), dsn)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
	_, _, err := Open(t.Context(), "postgres://h/db", nil)
	require.ErrorContains(t, err, "option 1 of Open is nil")
	_, _, err = Open(t.Context(), "postgres://h/db", sqlbackend.Conns(0))
	require.ErrorContains(t, err, "option Conns")
	_, _, err = Open(t.Context(), "postgres://app:hunter2@h/db?readable=perhaps")
	require.ErrorContains(t, err, "pq: the parameter readable")
	require.NotContains(t, err.Error(), "hunter2")
	_, _, err = Open(t.Context(), "postgres://h/db", ListenOn("postgres://app:hunter2@127.0.0.1:port/db"))
	require.ErrorContains(t, err, "pq: option ListenOn: the data source")
	require.NotContains(t, err.Error(), "hunter2")
	_, err = NewListener("postgres://app:hunter2@127.0.0.1:port/db")
	require.ErrorContains(t, err, "pq: the data source")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestTheLastWordOnListeningCounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url     string
		opts    []sqlbackend.OpenOption
		listens bool
	}{
		{"postgres://h/db", nil, true},
		{"postgres://h/db?listen=true", nil, true},
		{"postgres://h/db?listen=false", nil, false},
		{"postgres://h/db", []sqlbackend.OpenOption{WithoutListen()}, false},
		{"postgres://h/db?listen=false", []sqlbackend.OpenOption{ListenOn("postgres://direct/db")}, true},
		{"postgres://h/db", []sqlbackend.OpenOption{ListenOn("postgres://direct/db"), WithoutListen()}, false},
	} {
		var s settings
		_, _, err := opener(&s).Prepare(test.url, test.opts)
		require.NoError(t, err)
		require.Equal(t, test.listens, s.listens(), "%s and %d options", test.url, len(test.opts))
	}
}
