package httpadapter_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

func TestTheHandlerGetsTheWholeBody(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 20_000)
	for name, body := range map[string]string{"nothing": "", "a byte": "1", "200 kB": large} {
		for _, chunked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				h := s.wrap(func(w http.ResponseWriter, r *http.Request) {
					require.EqualValues(t, len(body), r.ContentLength)
					require.Nil(t, r.TransferEncoding)
					require.Nil(t, r.GetBody, "a client that passes the request on must not send it twice by itself")
					got, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					require.Equal(t, body, string(got))
					n, err := r.Body.Read(make([]byte, 1))
					require.Zero(t, n)
					require.ErrorIs(t, err, io.EOF)
					require.NoError(t, r.Body.Close())
				})
				first(t, do(h, sent(body, func(r *http.Request) {
					r.Body = io.NopCloser(iotest.HalfReader(strings.NewReader(body)))
					r.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
					if chunked {
						r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
					}
				})), 200, "")
			})
		}
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	cases := map[string]struct {
		limit  int64
		r      *http.Request
		status int
	}{
		"at the limit":                {4, sent(`1234`), 201},
		"at the limit, chunked":       {4, sent(`1234`, chunked), 201},
		"one over":                    {4, sent(`12345`), 413},
		"one over, chunked":           {4, sent(`12345`, chunked), 413},
		"no body where none may be":   {0, sent(``), 201},
		"a body where none may be":    {0, sent(`1`, chunked), 413},
		"more than it announced":      {8, sent(`12345`, func(r *http.Request) { r.ContentLength = 3 }), 201},
		"more than announced and may": {4, sent(`12345`, func(r *http.Request) { r.ContentLength = 3 }), 413},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, httpadapter.MaxBody(c.limit))
			w := do(s.wrap(echo), c.r)
			require.Equal(t, c.status, w.Code)
			if c.status == 413 {
				refused(t, w, 413, httpadapter.CodeBodyTooLarge)
				require.Equal(t, backend.Absent, s.state(t))
			}
		})
	}
}

func TestTheLimitIsAMebibyteByDefault(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(http.ResponseWriter, *http.Request) {})
	refused(t, do(h, sent(strings.Repeat("x", 1<<20+1))), 413, httpadapter.CodeBodyTooLarge)
	first(t, do(h, sent(strings.Repeat("x", 1<<20))), 200, "")
}

func TestASmallerLimitFurtherOutCounts(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := http.MaxBytesHandler(s.wrap(echo), 4)
	refused(t, do(h, sent(`12345`)), 413, httpadapter.CodeBodyTooLarge)
	require.Zero(t, s.runs.Load())
	first(t, do(h, sent(`1234`)), 201, `1234`)
}

func TestABodyThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"cut short":     io.ErrUnexpectedEOF,
		"too slow":      os.ErrDeadlineExceeded,
		"a broken gzip": errors.Join(errors.New("canary"), io.EOF),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			w := do(s.wrap(echo), sent("", func(r *http.Request) {
				r.ContentLength = -1
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"a":`), iotest.ErrReader(err)))
			}))
			refused(t, w, 400, httpadapter.CodeBodyUnreadable)
			require.NotContains(t, w.Body.String(), "canary")
			require.Zero(t, s.runs.Load())
			require.Equal(t, backend.Absent, s.state(t))
		})
	}
}

func TestABodyThatWasReadBeforeIsRefused(t *testing.T) {
	t.Parallel()
	form := media("application/x-www-form-urlencoded")
	cases := map[string]struct {
		r      *http.Request
		before func(*http.Request)
	}{
		"read":                         {sent(`{"a":1}`), func(r *http.Request) { _, _ = io.ReadAll(r.Body) }},
		"read in part":                 {sent(`{"a":1}`), func(r *http.Request) { _, _ = r.Body.Read(make([]byte, 2)) }},
		"replaced":                     {sent(`{"a":1}`), func(r *http.Request) { r.Body = http.NoBody }},
		"taken away":                   {sent(`{"a":1}`), func(r *http.Request) { r.Body = nil }},
		"closed":                       {sent(`{"a":1}`), func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(http.ErrBodyReadAfterClose)) }},
		"parsed as a form":             {sent(`a=1`, form), func(r *http.Request) { _ = r.ParseForm() }},
		"chunked and parsed as a form": {sent(`a=1`, form, func(r *http.Request) { r.ContentLength = -1 }), func(r *http.Request) { _ = r.FormValue("a") }},
		"handed out as multipart":      {sent(``, media("multipart/form-data; boundary=x")), func(r *http.Request) { _, _ = r.MultipartReader() }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			c.before(c.r)
			p := refused(t, do(s.wrap(echo), c.r), 500, httpadapter.CodeBodyRead)
			require.Contains(t, p.Detail, "place idem before what reads the body")
			require.Zero(t, s.runs.Load())
			require.Equal(t, backend.Absent, s.state(t))
		})
	}
}

func TestAFrameworkCanSayThatTheBodyWasRead(t *testing.T) {
	t.Parallel()
	s, w := newService(t), httptest.NewRecorder()
	s.m.Serve(w, httpadapter.Exchange{Request: sent(`1`), BodyRead: true, Next: echo})
	refused(t, w, 500, httpadapter.CodeBodyRead)

	w = httptest.NewRecorder()
	s.m.Serve(w, httpadapter.Exchange{Request: sent(`1`, to("GET", "/orders")), BodyRead: true, Next: echo})
	require.Equal(t, 201, w.Code, "a request that is not guarded passes")
}

func TestErrBodyReadHasTheAnswerOfTheMiddleware(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	httpadapter.WriteError(w, sent(``), httpadapter.ErrBodyRead)
	refused(t, w, 500, httpadapter.CodeBodyRead)
}

// TestFilesOfAFormAreRemoved: the server removes the files of its own request alone, and the handler has a copy.
func TestFilesOfAFormAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := newService(t)
	body := "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("1", 100) + "\r\n--x--\r\n"
	h := s.wrap(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseMultipartForm(0))
		file, err := r.MultipartForm.File["f"][0].Open()
		require.NoError(t, err)
		require.IsType(t, &os.File{}, file, "this test needs a form whose file is on the disk")
		require.NoError(t, file.Close())
	})
	first(t, do(h, sent(body, media("multipart/form-data; boundary=x"))), 200, "")
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAnnouncedTrailersReachTheHandler(t *testing.T) {
	t.Parallel()
	s := newService(t)
	server := httptest.NewServer(s.wrap(func(_ http.ResponseWriter, r *http.Request) {
		require.Equal(t, "5", r.Trailer.Get("X-Checksum"))
	}))
	defer server.Close()
	r, err := http.NewRequest("POST", server.URL, io.MultiReader(bytes.NewReader([]byte(`12345`))))
	require.NoError(t, err)
	r.Trailer = http.Header{"X-Checksum": {"5"}}
	r.Header.Set("Idempotency-Key", "k-1")
	r.Header.Set(userHeader, "alice")
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	require.EqualValues(t, 1, s.runs.Load())
}

// TestABodyStaysTheHandlersOwn: what a handler leaves behind must not read the next request.
func TestABodyStaysTheHandlersOwn(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 10, "just small": 512, "large": 513} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			var kept []io.Reader
			h := s.wrap(func(_ http.ResponseWriter, r *http.Request) { kept = append(kept, r.Body) })
			for n := range 20 {
				body := strings.Repeat(string(rune('a'+n)), size)
				first(t, do(h, sent(body, header("Idempotency-Key", "k-"+body[:1]))), 200, "")
			}
			for n, from := range kept {
				got, err := io.ReadAll(from)
				require.NoError(t, err)
				require.Equal(t, strings.Repeat(string(rune('a'+n)), size), string(got))
			}
		})
	}
}

// TestABodyThatIsLongerThanAnnouncedIsStillLimited is for requests that came from no server, which would cut it.
func TestABodyThatIsLongerThanAnnouncedIsStillLimited(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.MaxBody(10))
	r := sent(strings.Repeat("x", 11))
	r.ContentLength = 5
	refused(t, do(s.wrap(echo), r), 413, httpadapter.CodeBodyTooLarge)
	require.Equal(t, backend.Absent, s.state(t))
}
