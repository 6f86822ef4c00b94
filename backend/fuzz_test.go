package backend

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzID looks for two identities, or two requests, that have one hash because their fields are cut elsewhere. Whatever a
// field holds, its bytes belong to it alone.
func FuzzID(f *testing.F) {
	f.Add("guard", "user", "key", "guard", "use", "rkey")
	f.Add("", "", "", "", "", "\x00")
	f.Add("a", "bc", "", "ab", "c", "")
	f.Add("g", "\x00\x00\x00\x00\x00\x00\x00\x01k", "", "g", "", "k")
	f.Add("g", "ü", "K", "g", "u\u0308", "k")
	f.Fuzz(func(t *testing.T, guard, user, key, guard2, user2, key2 string) {
		same := guard == guard2 && user == user2 && key == key2
		require.Equal(t, same, NewID(guard, user, key) == NewID(guard2, user2, key2))
		parts := [][]byte{[]byte(guard), []byte(user), []byte(key)}
		require.Equal(t, same, NewFingerprint(parts...) == NewFingerprint([]byte(guard2), []byte(user2), []byte(key2)))
		require.NotEqual(t, NewFingerprint(parts...), NewFingerprint(append(parts, nil)...), "an empty part is one")
		require.Equal(t, digest("domain", parts...), digestStream("domain", parts...))
	})
}
