package httpadapter_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// FuzzExchange sends what a fuzzer thinks of through a handler that answers with what it thinks of, and wants the replay to
// be the same: status, body, and every line of every header that is replayed.
func FuzzExchange(f *testing.F) {
	f.Add(`{"a":1}`, "application/json", "a=1&b=2", "body", 201, "<a>\n<b>")
	f.Add("", "", "", "", 204, "")
	f.Add("", "", "", "\x00", 304, "")
	f.Add("a=1", "application/x-www-form-urlencoded", "%zz", "<html>", 404, "\n")
	f.Add(`{"a":1,"a":2}`, "application/x+json;q", "&&=", "\x00\xff", 999, "\xff\r\x00")
	f.Add(`1`, "text/plain", "", strings.Repeat("x", 700), 200, strings.Repeat("<a>\n", 140))
	f.Fuzz(func(t *testing.T, body, kind, query, answer string, status int, links string) {
		if status < 200 || status > 999 {
			status = 200
		}
		request := func(body string) *http.Request {
			r := sent(body, header("Content-Type", kind))
			r.RequestURI = "/orders?" + query
			return r
		}
		s := newService(t, httpadapter.Disposition(func(*http.Request, int) idem.Disposition { return idem.Keep }))
		h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
			got, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.Equal(t, body, string(got))
			w.Header().Set("ETag", query)
			w.Header()["Link"] = strings.Split(links, "\n")
			w.Header().Set("Set-Cookie", links)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		})
		one, two := do(h, request(body)), do(h, request(body))
		require.EqualValues(t, 1, s.runs.Load())
		replayed(t, two, one.Code, one.Body.String())
		require.Equal(t, status, one.Code)
		for _, name := range []string{"Content-Type", "Etag", "Link", "Content-Length"} {
			require.Equal(t, one.Header()[name], two.Header()[name], name)
		}
		require.NotContains(t, two.Header(), "Set-Cookie")
		refused(t, do(h, request(body+"x")), 422, idem.CodeMismatch)
	})
}
