package canon

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAPlainRunEndsAtTheFirstByteThatIsNotPlain wherever that stands, and whatever stands around it.
func TestAPlainRunEndsAtTheFirstByteThatIsNotPlain(t *testing.T) {
	t.Parallel()
	for _, around := range []byte{' ', '!', '#', '[', ']', 'x', 0x7f, 0x80, 0xff} {
		for size := range 20 {
			for at := range size {
				for c := range 256 {
					s := bytes.Repeat([]byte{around}, size)
					s[at] = byte(c)
					want := size
					if !plain[c] {
						want = at
					}
					require.Equal(t, want, plainRun(s), "%q", s)
				}
			}
		}
	}
}
