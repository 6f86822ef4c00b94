//go:build !race

package httpadapter_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend/memtest"
)

// allocated returns what one call of h allocates, with a key of its own at each call or the same one.
func allocated(t *testing.T, h http.Handler, key func(int) string) float64 {
	t.Helper()
	r := sent("")
	from := strings.NewReader("")
	r.Body, r.ContentLength = io.NopCloser(from), int64(len(benchBody))
	line, w, n := []string{""}, &sink{http.Header{}}, 0
	r.Header["Idempotency-Key"] = line
	return testing.AllocsPerRun(2000, func() {
		n++
		line[0] = key(n)
		from.Reset(benchBody)
		clear(w.header)
		h.ServeHTTP(w, r)
	})
}

// TestWhatAnExchangeAllocates counts what is added to a bare handler; the store's own growth is in it. The race detector
// allocates on its own account, so ./test runs this without it.
func TestWhatAnExchangeAllocates(t *testing.T) {
	fresh := func(n int) string { return "key-" + strconv.Itoa(1000+n) } // keys of one length, which allocate alike
	h := http.HandlerFunc(benchHandler)
	bare := allocated(t, h, fresh)
	require.LessOrEqual(t, allocated(t, newMiddleware(t, newGuard(t, new(memtest.Store))).Wrap(h), fresh)-bare, 10.0, "a first run")
	require.LessOrEqual(t, allocated(t, newMiddleware(t, newGuard(t, new(memtest.Store))).Wrap(h), same), 2.0, "a replay")
}
