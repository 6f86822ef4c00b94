package httpadapter

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecimalIsItoa(t *testing.T) {
	t.Parallel()
	for n := -10; n < 10_100; n++ {
		require.Equal(t, strconv.Itoa(n), decimal(n))
	}
}
