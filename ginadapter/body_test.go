package ginadapter_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/httpadapter"
)

type order struct {
	Item   string `json:"item" form:"item" binding:"required"`
	Amount int    `json:"amount" form:"amount"`
}

// binders are the ways in which a handler may read an order.
var binders = map[string]func(*gin.Context, *order) error{
	"ShouldBindJSON": func(c *gin.Context, o *order) error { return c.ShouldBindJSON(o) },
	"Bind":           func(c *gin.Context, o *order) error { return c.Bind(o) },
	"ShouldBindBodyWith, twice": func(c *gin.Context, o *order) error {
		if err := c.ShouldBindBodyWith(new(order), binding.JSON); err != nil {
			return err
		}
		return c.ShouldBindBodyWith(o, binding.JSON)
	},
	"GetRawData": func(c *gin.Context, o *order) error {
		raw, err := c.GetRawData()
		if err != nil {
			return err
		}
		return binding.JSON.BindBody(raw, o)
	},
}

func TestBindersReadTheBodyBehindTheMiddleware(t *testing.T) {
	t.Parallel()
	for name, bind := range binders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.post(func(c *gin.Context) {
				var o order
				require.NoError(t, bind(c, &o))
				c.String(201, "%d of %s", o.Amount, o.Item)
			})
			first(t, s.do(sent(`{"item":"book","amount":5}`)), 201, "5 of book")
			replayed(t, s.do(sent(`{"amount":5, "item":"book"}`)), 201, "5 of book")
		})
	}
}

func TestFormsAreBoundBehindTheMiddleware(t *testing.T) {
	t.Parallel()
	var multi bytes.Buffer
	parts := multipart.NewWriter(&multi)
	require.NoError(t, parts.WriteField("item", "book"))
	require.NoError(t, parts.WriteField("amount", "5"))
	file, err := parts.CreateFormFile("scan", "a.txt")
	require.NoError(t, err)
	_, err = io.WriteString(file, "scanned")
	require.NoError(t, err)
	require.NoError(t, parts.Close())

	for kind, body := range map[string]string{
		"application/x-www-form-urlencoded": "item=book&amount=5", parts.FormDataContentType(): multi.String(),
	} {
		t.Run(kind[:9], func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.post(func(c *gin.Context) {
				var o order
				require.NoError(t, c.ShouldBind(&o))
				require.Equal(t, "book", c.PostForm("item"))
				if upload, err := c.FormFile("scan"); err == nil {
					o.Item += " " + upload.Filename
				}
				c.String(201, "%d of %s", o.Amount, o.Item)
			})
			w := s.do(sent(body, header("Content-Type", kind)))
			require.Equal(t, 201, w.Code)
			replayed(t, s.do(sent(body, header("Content-Type", kind))), 201, w.Body.String())
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

// TestABodyThatWasBoundFurtherOutIsRefused: all orders would look alike.
func TestABodyThatWasBoundFurtherOutIsRefused(t *testing.T) {
	t.Parallel()
	early := map[string]gin.HandlerFunc{
		"by ShouldBindBodyWith": func(c *gin.Context) { _ = c.ShouldBindBodyWith(new(order), binding.JSON) },
		"by ShouldBindBodyWith, and put back": func(c *gin.Context) {
			_ = c.ShouldBindBodyWith(new(order), binding.JSON)
			c.Request.Body = io.NopCloser(strings.NewReader(`{}`))
		},
		"by ShouldBindJSON": func(c *gin.Context) { _ = c.ShouldBindJSON(new(order)) },
		"by GetRawData":     func(c *gin.Context) { _, _ = c.GetRawData() },
	}
	for name, read := range early {
		for _, chunked := range []bool{false, true} {
			if chunked && !strings.Contains(name, "BodyWith") {
				continue // gin leaves no trace of it
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				s.post(func(c *gin.Context) { c.Status(201) }, read)
				r := sent(`{"item":"book"}`)
				if chunked {
					r.ContentLength = -1
				}
				refused(t, s.do(r), 500, httpadapter.CodeBodyRead)
				require.Zero(t, s.runs.Load())
			})
		}
	}
}

func TestAFormThatWasParsedFurtherOutIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) { c.Status(201) }, func(c *gin.Context) { _ = c.PostForm("item") })
	refused(t, s.do(sent("item=book", header("Content-Type", "application/x-www-form-urlencoded"))), 500, httpadapter.CodeBodyRead)
	require.Zero(t, s.runs.Load())
}

// TestAQueryMayBeReadFurtherOut: gin keeps it apart from the form.
func TestAQueryMayBeReadFurtherOut(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.post(func(c *gin.Context) { c.String(201, c.Query("a")) }, func(c *gin.Context) { _ = c.Query("a") })
	first(t, s.do(sent(`{}`, to("POST", "/orders/1?a=b"))), 201, "b")
}

func TestABodyOverTheLimitIsRefusedOnGin(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.MaxBody(10))
	s.post(func(c *gin.Context) { c.Status(201) })
	server := httptest.NewServer(s.r)
	defer server.Close()
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", 11)), io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)))} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/orders/1", body)
		require.NoError(t, err)
		r.Header.Set("Idempotency-Key", "k-1")
		r.Header.Set("X-Test-User", "alice")
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 413, resp.StatusCode)
	}
	require.Zero(t, s.runs.Load())
}
