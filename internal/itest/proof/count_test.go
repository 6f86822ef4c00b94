package proof

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountsArePrintedAsTestlogReadsThem(t *testing.T) {
	kills, mutations := Of("kills"), Of("mutations caught")
	Of("stops")
	kills.Add(2)
	kills.Add(3)
	mutations.Expect(4)
	mutations.Add(3)
	var out strings.Builder
	Print(&out)
	require.Equal(t, "proof: 5 kills\nproof: 3 of 4 mutations caught\nproof: 0 stops\n", out.String())
}
