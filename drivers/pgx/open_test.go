package pgx

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestBackendOpenKnowsBothSchemes(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(server(t, "search_path="+newSchema(t), "table=orders", "readable=false", "conns=2"))
	require.NoError(t, err)
	for _, scheme := range []string{"postgres", "postgresql"} {
		u.Scheme = scheme
		h, err := backend.Open(t.Context(), u.String())
		require.NoError(t, err)
		begins(t, h.Store, claimOf(scheme), backend.Claimed)
		require.NoError(t, h.Close())
	}
}

func TestAWrongURLIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a port that is none":          "postgres://app:hunter2@127.0.0.1:port/db",
		"a control character":          "postgres://app:hunter2@127.0.0.1/db\x7f%zz",
		"a bad escape in the password": "postgres://app:hunter2%zz@127.0.0.1/db",
		"nobody there":                 "postgres://app:hunter2@127.0.0.1:1/db?connect_timeout=2",
		"a table that is none":         "postgres://app:hunter2@127.0.0.1:1/db?table=a%20b",
		"a table given twice":          "postgres://app:hunter2@127.0.0.1:1/db?table=a&table=b",
		"a wrong readable":             "postgres://app:hunter2@127.0.0.1:1/db?readable=yes",
		"a wrong listen":               "postgres://app:hunter2@127.0.0.1:1/db?listen=hunter2",
		"a wrong number":               "postgres://app:hunter2@127.0.0.1:1/db?conns=many",
		"no connections":               "postgres://app:hunter2@127.0.0.1:1/db?conns=0",
		"a wrong ssl mode":             "postgres://app:hunter2@127.0.0.1:1/db?sslmode=hunter2",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := backend.Open(ctx, text)
		cancel()
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
	_, _, err := Open(t.Context(), "postgres://h/db", ListenOn("postgres://app:hunter2@127.0.0.1:port/db"))
	require.ErrorContains(t, err, "pgx: option ListenOn: the data source")
	require.NotContains(t, err.Error(), "hunter2")
	_, err = NewListener("postgres://app:hunter2@127.0.0.1:port/db")
	require.ErrorContains(t, err, "pgx: the data source")
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

func TestParametersThatAreNotIdemsGoToPgx(t *testing.T) {
	t.Parallel()
	_, dsn, err := opener(new(settings)).Prepare("postgres://h/db?sslmode=disable&table=t&listen=false&application_name=a%26b&migrate=false", nil)
	require.NoError(t, err)
	require.Equal(t, "postgres://h/db?sslmode=disable&application_name=a%26b", dsn)
	_, _, err = Open(t.Context(), "postgres://h/db", nil)
	require.ErrorContains(t, err, "option 1 of Open is nil")
}
