package mysql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestAnAddressReads(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mysql://u:p@h:1/d":                      "u:p@tcp(h:1)/d",
		"mysql://h/d":                            "@tcp(h:3306)/d",
		"mysql:///d":                             "@tcp(127.0.0.1:3306)/d",
		"mysql://u:p%40%3A%2Fq@[::1]:1/d":        "u:p@:/q@tcp([::1]:1)/d",
		"mysql://u@ignored/d?socket=/run/m.sock": "u@unix(/run/m.sock)/d",
	} {
		c, err := parseURL(text)
		require.NoError(t, err, text)
		auth := c.User
		if c.Passwd != "" {
			auth += ":" + c.Passwd
		}
		require.Equal(t, want, auth+"@"+c.Net+"("+c.Addr+")/"+c.DBName, text)
		require.Equal(t, "'READ-COMMITTED'", c.Params["tx_isolation"])
	}
	_, address, err := opener.Prepare("mysql://h/d?clientFoundRows=true&sql_mode=%27%27&table=x&transaction_isolation=%27SERIALIZABLE%27", nil)
	require.NoError(t, err)
	c, err := parseURL(address)
	require.NoError(t, err)
	require.True(t, c.ClientFoundRows)
	require.Equal(t, map[string]string{"sql_mode": "''", "transaction_isolation": "'SERIALIZABLE'"}, c.Params)
}

func TestAnAddressIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"without a database":        {"mysql://root:secret@127.0.0.1", "must name one database"},
		"with a path for one":       {"mysql://root:secret@127.0.0.1/a/b", "must name one database"},
		"that cannot be read":       {"mysql://root:secret@127.0.0.1:port/d", "percent-encoded"},
		"with a bad escape":         {"mysql://root:sec%ret@127.0.0.1/d", "percent-encoded"},
		"with a bad query":          {"mysql://root:secret@127.0.0.1/d?a=%zz", "query"},
		"with a parameter twice":    {"mysql://root:secret@127.0.0.1/d?table=a&table=b", "table is given more than once"},
		"with a bad table":          {"mysql://root:secret@127.0.0.1/d?table=a%20b", "Table"},
		"with no connections":       {"mysql://root:secret@127.0.0.1/d?conns=0", "Conns"},
		"with a word for a number":  {"mysql://root:secret@127.0.0.1/d?conns=many", "conns"},
		"with a bad boolean":        {"mysql://root:secret@127.0.0.1/d?readable=no", "readable"},
		"with a bad consent":        {"mysql://root:secret@127.0.0.1/d?untested_mysql=1", "untested_mysql"},
		"with a bad driver setting": {"mysql://root:secret@127.0.0.1/d?parseTime=perhaps", "parameter of the driver"},
		"of nobody who listens":     {"mysql://root:secret@127.0.0.1:1/d", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := backend.Open(t.Context(), test.text)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "sec")
		})
	}
}
