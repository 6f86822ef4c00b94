package idem_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

// FuzzNames holds the rules of keys and users against their words: 1 to 255 bytes, valid UTF-8, no control characters, and
// no error that repeats what was sent. Two scopes of different parts are two users.
func FuzzNames(f *testing.F) {
	f.Add("k-1", "tenant")
	f.Add("", "")
	f.Add("a", "bc")
	f.Add("1:a,", "2:bc,")
	f.Add("line\nbreak", "\x7f")
	f.Add("\u0085", "\xff\xfe")
	f.Add(strings.Repeat("k", 255), strings.Repeat("ü", 128))
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, name := range []string{one, two} {
			takes := name != "" && len(name) <= 255 && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
			key, user := idem.Key(name).Check(), idem.User(name).Check()
			require.Equal(t, takes, key == nil, "%v", key)
			require.Equal(t, takes, user == nil, "%v", user)
			if !takes && len(name) > 12 {
				require.NotContains(t, key.Error()+user.Error(), name)
			}
		}
		if one == "" || two == "" {
			require.Empty(t, idem.Scope(one, two))
			return
		}
		for i := range min(len(two), 20) { // the same bytes, cut elsewhere
			if i > 0 {
				require.NotEqual(t, idem.Scope(one, two), idem.Scope(one+two[:i], two[i:]))
			}
		}
		require.NotEqual(t, idem.Scope(one, two), idem.Scope(one+two))
		require.Equal(t, one == two, idem.Scope(one, two) == idem.Scope(two, one))
	})
}
