package mysql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnectionsGetTheVariablesOfTheirServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, query string
		want           map[string]string
	}{
		{"10.11.19-MariaDB", "", map[string]string{"tx_isolation": "'READ-COMMITTED'"}},
		{"8.0.36", "", map[string]string{"transaction_isolation": "'READ-COMMITTED'", "innodb_lock_wait_timeout": "1"}},
		{"8.0.36", "tx_isolation=%27SERIALIZABLE%27", map[string]string{"transaction_isolation": "'SERIALIZABLE'", "innodb_lock_wait_timeout": "1"}},
		{"8.0.36", "transaction_isolation=%27SERIALIZABLE%27&innodb_lock_wait_timeout=3", map[string]string{"transaction_isolation": "'SERIALIZABLE'", "innodb_lock_wait_timeout": "3"}},
	} {
		c, err := parseURL("mysql://h/d?" + test.query)
		require.NoError(t, err)
		s := &server{version: test.version}
		require.NoError(t, s.suit(t.Context(), c))
		require.Equal(t, test.want, c.Params)
	}
}
