package proof

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTimesAreOneUnlessANumberSaysMore(t *testing.T) {
	for said, want := range map[string]int{"": 1, "50": 50, " 3 ": 3, "0": 1, "-4": 1, "often": 1} {
		t.Setenv("IDEM_TEST_TIMES", said)
		require.Equal(t, want, Times(), "%q", said)
	}
}
