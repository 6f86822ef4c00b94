package backend

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLargeFieldsAreHashedAsSmallOnes: how fields are brought to the hash must not show in it.
func TestLargeFieldsAreHashedAsSmallOnes(t *testing.T) {
	t.Parallel()
	for _, parts := range [][][]byte{
		{},
		{nil},
		{nil, nil},
		{[]byte("a"), []byte("bc")},
		{[]byte("ab"), []byte("c")},
		{bytes.Repeat([]byte("x"), hashedAtOnce-30)},
		{bytes.Repeat([]byte("x"), hashedAtOnce)},
		{bytes.Repeat([]byte("x"), 1<<20), []byte("y")},
	} {
		var all []byte
		for _, field := range append([][]byte{[]byte("domain")}, parts...) {
			all = append(append(all, 0, 0, 0, 0, 0, byte(len(field)>>16), byte(len(field)>>8), byte(len(field))), field...)
		}
		want := sha256.Sum256(all)
		require.Equal(t, want, digest("domain", parts...))
		require.Equal(t, want, digestStream("domain", parts...))
	}
}

// TestAnIdentityNeedsNoAllocation: it is made in every call.
func TestAnIdentityNeedsNoAllocation(t *testing.T) {
	long := string(bytes.Repeat([]byte("k"), 255))
	require.Zero(t, testing.AllocsPerRun(100, func() { NewID("guard", long, long) }))
}
