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
}
