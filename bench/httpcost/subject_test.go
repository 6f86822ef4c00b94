package httpcost

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/idempotency"
	"github.com/stretchr/testify/require"
)

// TestTheSubjectsDoWhatIsMeasured: a middleware that refuses, or lets everything pass, is fast.
func TestTheSubjectsDoWhatIsMeasured(t *testing.T) {
	t.Parallel()
	h := guard()
	for n, replayed := range []string{"", "true"} {
		r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(body))
		r.Header.Set("Idempotency-Key", "11111111-0000-0000-0000-000000000000")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusCreated, w.Code, n)
		require.Equal(t, replayed, w.Header().Get("Idempotent-Replayed"))
		require.Equal(t, string(answer), w.Body.String())
	}

	runs, app := 0, fiber.New()
	app.Use(idempotency.New())
	app.Post("/orders", func(c fiber.Ctx) error {
		runs++
		return c.Status(http.StatusCreated).Send(answer)
	})
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(body))
		r.Header.Set("X-Idempotency-Key", "11111111-0000-0000-0000-000000000000")
		resp, err := app.Test(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	require.Equal(t, 1, runs)
}

func TestKeysAreNewOrTheSame(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for caller := range 32 {
		next, key := newKeys(caller), make([]byte, 36)
		for range 50 {
			next(key)
			require.Len(t, string(key), 36)
			seen[string(key)] = true
		}
	}
	require.Len(t, seen, 32*50)
}

// TestEverySubjectRuns lets each have one short window.
func TestEverySubjectRuns(t *testing.T) {
	t.Parallel()
	for name, r := range measure(append(append([]subject{}, subjects...), canonical...), 2, 1, time.Millisecond) {
		require.Positive(t, r.nanoseconds, name)
	}
}
