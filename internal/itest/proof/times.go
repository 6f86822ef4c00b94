package proof

import (
	"os"
	"strconv"
	"strings"
)

// Times is how often that is done which can be done more often, for a longer proof: IDEM_TEST_TIMES, or once.
func Times() int {
	n, err := strconv.Atoi(strings.TrimSpace(os.Getenv("IDEM_TEST_TIMES")))
	if err != nil || n < 1 {
		return 1
	}
	return n
}
