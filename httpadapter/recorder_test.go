package httpadapter_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/httpadapter"
)

// likeNetHTTP are handlers whose answer must reach the client as net/http alone sends it.
var likeNetHTTP = map[string]http.HandlerFunc{
	"nothing at all": func(http.ResponseWriter, *http.Request) {},
	"a status alone": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) },
	"a body without a status": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"a":1}`)
	},
	"an empty write": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(nil)
		w.WriteHeader(500)
	},
	"a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!DOCTYPE html><p>hello") },
	"an image in two writes": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("\x89PN"))
		_, _ = w.Write([]byte("G\x0d\x0a\x1a\x0a"))
	},
	"a second status": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
	},
	"headers after the status": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Before", "1")
		w.WriteHeader(201)
		w.Header().Set("X-Before", "2")
		w.Header().Set("X-After", "1")
		w.Header().Del("Content-Type")
	},
	"headers after the body": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "x")
		w.Header().Set("X-After", "1")
	},
	"headers of many values": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header()["X-Many"] = []string{"1", "", "3"}
	},
	"no content type": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		fmt.Fprint(w, "x")
	},
	"an empty content type": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{""}
		fmt.Fprint(w, "x")
	},
	"an encoded body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "x")
		fmt.Fprint(w, "x")
	},
	"no date": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil },
	"204 with a body": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		_, err := fmt.Fprint(w, "x")
		noteError(w, err)
	},
	"304 with a body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.WriteHeader(304)
		_, err := fmt.Fprint(w, "x")
		noteError(w, err)
	},
	"204 with an empty write": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		if _, err := w.Write(nil); err != nil {
			panic(err)
		}
	},
	"names and values that cannot be sent": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X Bad"] = []string{"1"}
		w.Header()["X-Bad\r\nInjected"] = []string{"1"}
		w.Header()["Etag"] = []string{"\"1\"\r\nInjected: 1"}
		w.Header()["Location"] = []string{"/\n1"}
		w.Header()["lower-case"] = []string{"1"}
	},
	"every byte": func(w http.ResponseWriter, _ *http.Request) {
		for c := range 256 {
			_, _ = w.Write([]byte{byte(c)})
		}
	},
	"http.Error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) },
	"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusSeeOther) },
	"a file": func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.txt", time0, strings.NewReader("hello"))
	},
	"io.Copy":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("copied")) },
	"io.WriteString": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") },
	"a body of 100 kB": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		for range 10 {
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		}
	},
}

// time0 is any time.
var time0 = time.Unix(0, 0).UTC()

// noteError fails the request where a body on an answer that has none is not refused.
func noteError(_ http.ResponseWriter, err error) {
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		panic(err)
	}
}

// TestTheFirstAnswerIsAsNetHTTPSendsIt runs each handler bare and guarded on a real server and compares what the client
// gets; then it compares the replay.
func TestTheFirstAnswerIsAsNetHTTPSendsIt(t *testing.T) {
	t.Parallel()
	for name, h := range likeNetHTTP {
		for _, method := range []string{"POST", "HEAD"} {
			t.Run(name+" to "+method, func(t *testing.T) {
				t.Parallel()
				s := newService(t, httpadapter.Methods("POST", "HEAD"))
				bare := exchangeWith(t, h, method)
				guarded := httptest.NewServer(s.wrap(h))
				defer guarded.Close()
				got := fetch(t, guarded, method)
				require.Equal(t, bare, got)

				if got.status < 300 || got.status == 303 || got.status == 304 || got.status == 404 {
					replay := fetch(t, guarded, method)
					require.EqualValues(t, 1, s.runs.Load())
					require.Equal(t, got.status, replay.status)
					require.Equal(t, got.body, replay.body)
					require.Equal(t, []string{"true"}, replay.header["Idempotent-Replayed"])
					for _, kept := range []string{"Content-Type", "Etag", "Location", "Content-Encoding", "Last-Modified"} {
						require.Equal(t, got.header[kept], replay.header[kept], kept)
					}
				}
			})
		}
	}
}

// received is what a client got, but for what depends on how net/http framed it.
type received struct {
	status int
	header http.Header
	body   string
}

func exchangeWith(t *testing.T, h http.Handler, method string) received {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	return fetch(t, server, method)
}

func fetch(t *testing.T, server *httptest.Server, method string) received {
	t.Helper()
	r, err := http.NewRequest(method, server.URL+"/orders", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Idempotency-Key", "k-1")
	r.Header.Set(userHeader, "alice")
	client := *server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if len(resp.Header["Date"]) == 1 {
		resp.Header["Date"] = []string{"now"}
	}
	return received{resp.StatusCode, resp.Header, string(body)}
}

func TestAnInvalidStatusPanicsAsInNetHTTP(t *testing.T) {
	t.Parallel()
	for _, status := range []int{-1, 0, 99, 1000} {
		s := newService(t)
		h := s.wrap(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		require.Panics(t, func() { do(h, sent(`1`)) }, status)
	}
}

func TestInformationalAnswersAreDropped(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusContinue)
		w.WriteHeader(http.StatusSwitchingProtocols)
		w.Header().Set("X-Later", "1")
		w.WriteHeader(http.StatusCreated)
	})
	w := &strict{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, sent(`1`))
	require.Equal(t, []int{201}, w.statuses)
	require.Equal(t, "1", w.Header().Get("X-Later"))
}

// strict notes every status that it is given.
type strict struct {
	*httptest.ResponseRecorder
	statuses []int
}

func (s *strict) WriteHeader(status int) {
	s.statuses = append(s.statuses, status)
	s.ResponseRecorder.WriteHeader(status)
}

// full is a writer with everything that a writer of net/http may have. None of it may be reachable.
type full struct{ http.ResponseWriter }

func (full) Flush()                                       { panic("reached") }
func (full) FlushError() error                            { panic("reached") }
func (full) Hijack() (net.Conn, *bufio.ReadWriter, error) { panic("reached") }
func (full) ReadFrom(io.Reader) (int64, error)            { panic("reached") }
func (full) Push(string, *http.PushOptions) error         { panic("reached") }

func TestNothingCanReachTheClientBeforeTheCommit(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		for name, has := range map[string]bool{
			"Unwrap":     is[interface{ Unwrap() http.ResponseWriter }](w),
			"Flush":      is[http.Flusher](w),
			"FlushError": is[interface{ FlushError() error }](w),
			"Hijack":     is[http.Hijacker](w),
			"ReadFrom":   is[io.ReaderFrom](w),
			"Push":       is[http.Pusher](w),
		} {
			require.False(t, has, name)
		}
		control := http.NewResponseController(w)
		require.ErrorIs(t, control.Flush(), http.ErrNotSupported)
		_, _, err := control.Hijack()
		require.ErrorIs(t, err, http.ErrNotSupported)
		require.ErrorIs(t, control.EnableFullDuplex(), http.ErrNotSupported)
		require.ErrorIs(t, control.SetWriteDeadline(time0), http.ErrNotSupported)
		_, _ = io.WriteString(w, "whole")
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(full{w}, sent(`1`))
	first(t, w, 200, "whole")
}

func is[I any](v any) bool { _, ok := v.(I); return ok }

// TestAWriteAfterTheHandlerReturnedChangesNothing is for the race detector too.
func TestAWriteAfterTheHandlerReturnedChangesNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var left sync.WaitGroup
	returned := make(chan struct{})
	errs := make(chan error, 2)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "in time")
		left.Go(func() {
			for range 1000 { // across the end of the handler
				_, _ = io.WriteString(w, "")
				_, _ = w.Write(nil)
			}
			<-returned
			w.Header().Set("Content-Type", "text/late")
			w.WriteHeader(http.StatusTeapot)
			_, err := w.Write([]byte("too late"))
			errs <- err
			_, err = io.WriteString(w, "too late")
			errs <- err
		})
	})
	w := do(h, sent(`1`))
	close(returned)
	left.Wait()
	first(t, w, 201, "in time")
	require.ErrorIs(t, <-errs, httpadapter.ErrHandlerReturned)
	require.ErrorIs(t, <-errs, httpadapter.ErrHandlerReturned)
	replayed(t, do(h, sent(`1`)), 201, "in time")
}

func TestHandlersSeeTheHeadersThatWereSetFurtherOut(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		require.Equal(t, "r-1", w.Header().Get("X-Request-Id"))
		w.Header().Add("Vary", "Accept")
		w.Header().Del("X-Default")
		w.Header().Set("Content-Type", "text/plain")
	})
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r-1")
		w.Header().Set("Vary", "Origin")
		w.Header().Set("X-Default", "1")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "outer=1")
		h.ServeHTTP(w, r)
	})
	w := do(outer, sent(`1`))
	require.Equal(t, []string{"Origin", "Accept"}, w.Header()["Vary"])
	require.NotContains(t, w.Header(), "X-Default")
	require.Equal(t, []string{"text/plain"}, w.Header()["Content-Type"])
	require.Equal(t, "outer=1", w.Header().Get("Set-Cookie"))

	w = do(outer, sent(`1`))
	replayed(t, w, 200, "")
	require.Equal(t, "r-1", w.Header().Get("X-Request-Id"), "what stands outside acts on replays too")
	require.Equal(t, []string{"text/plain"}, w.Header()["Content-Type"])
}

func TestTrailersAndFramingAreDropped(t *testing.T) {
	t.Parallel()
	s := newService(t)
	server := httptest.NewServer(s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Transfer-Encoding", "chunked")
		w.Header().Set("Content-Length", "999")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-Other", "1")
	}))
	defer server.Close()
	got := fetch(t, server, "POST")
	require.Equal(t, "body", got.body)
	require.Equal(t, "4", got.header.Get("Content-Length"))
	require.NotContains(t, got.header, "X-Sum")
}
