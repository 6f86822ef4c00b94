package ginadapter_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/render"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/ginadapter"
)

// likeGin are handlers whose answer must reach the client as gin alone sends it.
var likeGin = map[string]gin.HandlerFunc{
	"nothing at all":        func(*gin.Context) {},
	"a status alone":        func(c *gin.Context) { c.Status(202) },
	"a status and a header": func(c *gin.Context) { c.Header("Location", "/1"); c.Status(201) },
	"JSON":                  func(c *gin.Context) { c.JSON(201, gin.H{"a": 1, "b": "<>"}) },
	"JSON, indented":        func(c *gin.Context) { c.IndentedJSON(200, gin.H{"a": 1}) },
	"XML":                   func(c *gin.Context) { c.XML(200, gin.H{"a": 1}) },
	"YAML":                  func(c *gin.Context) { c.YAML(200, gin.H{"a": 1}) },
	"text":                  func(c *gin.Context) { c.String(200, "%d%%", 5) },
	"data":                  func(c *gin.Context) { c.Data(200, "image/png", []byte("\x89PNG\x00")) },
	"data from a reader":    func(c *gin.Context) { c.DataFromReader(200, 4, "text/x", strings.NewReader("data"), nil) },
	"a render's own":        func(c *gin.Context) { c.Render(418, render.String{Format: "tea"}) },
	"a status that is kept": func(c *gin.Context) { c.Status(404); c.JSON(-1, gin.H{"a": 1}) },
	"204 by JSON":           func(c *gin.Context) { c.JSON(204, gin.H{"a": 1}) },
	"304":                   func(c *gin.Context) { c.Header("Etag", `"1"`); c.Status(304) },
	"a redirect":            func(c *gin.Context) { c.Redirect(303, "/elsewhere") },
	"a cookie":              func(c *gin.Context) { c.SetCookie("a", "b", 60, "/", "", true, true); c.Status(200) },
	"two statuses":          func(c *gin.Context) { c.Status(201); c.Status(202) },
	"a status too late":     func(c *gin.Context) { _, _ = c.Writer.WriteString("x"); c.Header("X-Late", "1") },
	"no content type":       func(c *gin.Context) { _, _ = c.Writer.Write([]byte("<html>")) },
	"an abort":              func(c *gin.Context) { c.AbortWithStatus(422) },
	"an abort with JSON":    func(c *gin.Context) { c.AbortWithStatusJSON(422, gin.H{"a": 1}) },
	"an abort with an error": func(c *gin.Context) {
		_ = c.AbortWithError(422, errors.New("x")).SetType(gin.ErrorTypePublic)
	},
	"the header now": func(c *gin.Context) { c.Status(201); c.Writer.WriteHeaderNow(); c.Header("X-Late", "1") },
	"io.WriteString": func(c *gin.Context) { _, _ = io.WriteString(c.Writer, "text") },
	"io.Copy":        func(c *gin.Context) { _, _ = io.Copy(c.Writer, strings.NewReader("copied")) },
	"net/http's":     gin.WrapF(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) }),
	"negotiated": func(c *gin.Context) {
		c.Negotiate(200, gin.Negotiate{Offered: []string{gin.MIMEJSON}, Data: gin.H{"a": 1}})
	},
	"a binding that fails": func(c *gin.Context) {
		var v struct {
			A int `binding:"required"`
		}
		_ = c.BindJSON(&v)
	},
	"a body of 100 kB": func(c *gin.Context) {
		for range 10 {
			_, _ = c.Writer.WriteString(strings.Repeat("x", 10_000))
		}
	},
}

// received is what a client got, but for the framing, which is net/http's when it does not know the length.
type received struct {
	status int
	header http.Header
	body   string
}

func fetch(t *testing.T, h http.Handler, method string) received {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/orders/1", strings.NewReader(`{}`))
	require.NoError(t, err)
	r.Header.Set("Idempotency-Key", "k-1")
	r.Header.Set("X-Test-User", "alice")
	r.Header.Set("Accept", "application/json")
	client := *server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Header.Del("Date")
	resp.Header.Del("Content-Length")
	return received{resp.StatusCode, resp.Header, string(body)}
}

// TestTheFirstAnswerIsAsGinSendsIt compares each handler bare and guarded on a real server, and then its replay.
func TestTheFirstAnswerIsAsGinSendsIt(t *testing.T) {
	t.Parallel()
	for name, h := range likeGin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bare := gin.New()
			bare.POST("/orders/:id", h)
			want := fetch(t, bare, "POST")
			s := newService(t)
			s.post(h)
			require.Equal(t, want, fetch(t, s.r, "POST"))

			again := fetch(t, s.r, "POST")
			require.EqualValues(t, 1, s.runs.Load())
			require.Equal(t, want.status, again.status)
			require.Equal(t, want.body, again.body)
			require.Equal(t, want.header["Content-Type"], again.header["Content-Type"])
			require.Equal(t, []string{"true"}, again.header["Idempotent-Replayed"])
		})
	}
}

// TestTheWriterKeepsBooksAsGins does: status, size and whether anything was written, after every step.
func TestTheWriterKeepsBooksAsGins(t *testing.T) {
	t.Parallel()
	steps := map[string]func(gin.ResponseWriter){
		"a status":            func(w gin.ResponseWriter) { w.WriteHeader(201) },
		"no status":           func(w gin.ResponseWriter) { w.WriteHeader(0) },
		"a negative status":   func(w gin.ResponseWriter) { w.WriteHeader(-1) },
		"the header":          func(w gin.ResponseWriter) { w.WriteHeaderNow() },
		"an empty write":      func(w gin.ResponseWriter) { _, _ = w.Write(nil) },
		"a write":             func(w gin.ResponseWriter) { _, _ = w.Write([]byte("123")) },
		"a string":            func(w gin.ResponseWriter) { _, _ = w.WriteString("4567") },
		"a string by io":      func(w gin.ResponseWriter) { _, _ = io.WriteString(w, "89") },
		"204":                 func(w gin.ResponseWriter) { w.WriteHeader(204) },
		"another body for it": func(w gin.ResponseWriter) { _, _ = w.WriteString("x") },
	}
	sequences := [][]string{
		{},
		{"a status", "a write", "a string", "a string by io"},
		{"a write", "no status", "a write"},
		{"a status", "no status", "a negative status", "the header", "the header"},
		{"the header", "a write"},
		{"an empty write", "a string"},
		{"204", "the header", "another body for it"},
		{"204", "another body for it"},
		{"a status", "204", "the header"},
	}
	for _, sequence := range sequences {
		t.Run(strings.Join(sequence, ", "), func(t *testing.T) {
			t.Parallel()
			trace := func(into *string) gin.HandlerFunc {
				return func(c *gin.Context) {
					for _, step := range sequence {
						steps[step](c.Writer)
						*into += fmt.Sprintf("%s: %d %d %v\n", step, c.Writer.Status(), c.Writer.Size(), c.Writer.Written())
					}
				}
			}
			var want, got string
			bare := gin.New()
			bare.POST("/orders/:id", trace(&want))
			fetch(t, bare, "POST")
			s := newService(t)
			s.post(trace(&got))
			fetch(t, s.r, "POST")
			require.Equal(t, want, got)
		})
	}
}

// TestAStatusAfterTheAnswerBeganDoesNotCount, as in newer versions of gin.
func TestAStatusAfterTheAnswerBeganDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) {
		c.String(201, "made")
		c.Status(500)
		require.Equal(t, 201, c.Writer.Status())
	})
	first(t, s.do(sent(`1`)), 201, "made")
	replayed(t, s.do(sent(`1`)), 201, "made")
}

func TestAStatusFromFurtherOutIsTheDefault(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) { _, _ = c.Writer.WriteString("made") }, func(c *gin.Context) { c.Status(202) })
	first(t, s.do(sent(`1`)), 202, "made")
	replayed(t, s.do(sent(`1`)), 202, "made")
}

func TestNothingReachesTheClientBeforeTheCommit(t *testing.T) {
	t.Parallel()
	s := newService(t)
	w := httptest.NewRecorder()
	s.post(func(c *gin.Context) {
		_, unwraps := c.Writer.(interface{ Unwrap() http.ResponseWriter })
		require.False(t, unwraps)
		_, reads := c.Writer.(io.ReaderFrom)
		require.False(t, reads)
		require.Nil(t, c.Writer.Pusher())
		_, _, err := c.Writer.Hijack()
		require.ErrorIs(t, err, http.ErrNotSupported)
		require.ErrorIs(t, http.NewResponseController(c.Writer).Flush(), http.ErrNotSupported)

		rest := []string{"one ", "two"}
		c.Stream(func(to io.Writer) bool {
			_, _ = io.WriteString(to, rest[0])
			rest = rest[1:]
			return len(rest) > 0
		})
		c.SSEvent("message", "three")
		require.Empty(t, w.Body.String())
		require.False(t, w.Flushed)
	})
	s.r.ServeHTTP(w, sent(`1`))
	require.Equal(t, "one twoevent:message\ndata:three\n\n", w.Body.String())
	replayed(t, s.do(sent(`1`)), 200, w.Body.String())
}

func TestAFileIsSentAndReplayed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(file, []byte("hello"), 0o600))
	s := newService(t)
	s.post(func(c *gin.Context) { c.FileAttachment(file, "b.txt") })
	w := s.do(sent(`1`))
	first(t, w, 200, "hello")
	again := s.do(sent(`1`))
	replayed(t, again, 200, "hello")
	for _, name := range []string{"Content-Type", "Content-Disposition", "Last-Modified"} {
		require.Equal(t, w.Header()[name], again.Header()[name], name)
		require.NotEmpty(t, again.Header()[name], name)
	}
}

// TestTheAnswerIsStoredBeforeTheClientGetsIt looks at the record at the moment of the first write.
func TestTheAnswerIsStoredBeforeTheClientGetsIt(t *testing.T) {
	t.Parallel()
	s := newService(t)
	looked := 0
	s.post(func(c *gin.Context) { c.String(201, "made") }, func(c *gin.Context) {
		c.Writer = looking{c.Writer, func() {
			looked++
			require.Equal(t, "Done", s.state(t).String())
		}}
		c.Next()
	})
	first(t, s.do(sent(`1`)), 201, "made")
	require.Equal(t, 1, looked)
}

type looking struct {
	gin.ResponseWriter
	look func()
}

func (l looking) Write(p []byte) (int, error) {
	l.look()
	return l.ResponseWriter.Write(p)
}

func BenchmarkReplay(b *testing.B) {
	guard := idem.Must(idem.New("orders", new(memtest.Store)))
	m := idem.Must(ginadapter.New(guard, func(*gin.Context) (idem.User, error) { return "alice", nil }))
	r := gin.New()
	r.POST("/orders/:id", m.Handler(), func(c *gin.Context) { c.String(201, "made") })
	body := bytes.NewReader(nil)
	request := sent(`{"a":1}`)
	b.ReportAllocs()
	for b.Loop() {
		body.Reset([]byte(`{"a":1}`))
		request.Body = io.NopCloser(body)
		r.ServeHTTP(httptest.NewRecorder(), request)
	}
}
