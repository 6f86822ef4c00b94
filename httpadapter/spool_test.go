package httpadapter_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

const kib = 1 << 10

// spooling is a service whose answers of more than 64 KiB cannot be stored, and the directory where they wait.
func spooling(t *testing.T, opts ...httpadapter.Option) (*service, string) {
	t.Helper()
	dir := t.TempDir()
	all := append([]httpadapter.Option{httpadapter.Call(idem.MaxResult(64 * kib)), httpadapter.SpoolDir(dir)}, opts...)
	return newService(t, all...), dir
}

// leftovers are the files in dir, those included that have no name any more and are still open.
func leftovers(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		found = append(found, e.Name())
	}
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range open {
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, dir) {
			found = append(found, name)
		}
	}
	return found
}

// bytesOf is a body in which every KiB differs.
func bytesOf(size int) []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i * (i>>10 + 1))
	}
	return body
}

// pieces writes a body in pieces of another size each time.
func pieces(w io.Writer, body []byte) error {
	for size := 1; len(body) > 0; size = size*3%100_003 + 1 {
		n, err := w.Write(body[:min(size, len(body))])
		if err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

func TestALargeAnswerReachesItsClientWhole(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{
		"what memory holds": 64 * kib, "a byte more": 64*kib + 1, "twice that": 128 * kib, "much more": 3000*kib + 7,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := spooling(t)
			body := bytesOf(size)
			server := serve(t, s.wrap(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/orders/1")
				w.WriteHeader(http.StatusCreated)
				require.NoError(t, pieces(w, body))
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, entries, "a crash now would leave a file behind")
				require.Equal(t, size > 64*kib, len(leftovers(t, dir)) > 0)
			}))
			resp, got := exchange(t, server, post(t, server, strings.NewReader(`1`)))
			require.Equal(t, 201, resp.StatusCode)
			require.EqualValues(t, size, resp.ContentLength)
			require.Equal(t, "application/octet-stream", resp.Header.Get("Content-Type"))
			require.True(t, bytes.Equal(body, []byte(got)))

			resp, got = exchange(t, server, post(t, server, strings.NewReader(`1`)))
			require.Equal(t, 409, resp.StatusCode)
			require.Contains(t, got, string(idem.CodeAnswerNotKept))
			require.Contains(t, got, `"original_status":201`)
			require.Equal(t, "/orders/1", resp.Header.Get("Location"))
			require.EqualValues(t, 1, s.runs.Load())
			require.Empty(t, leftovers(t, dir))
		})
	}
}

// TestALargeAnswerIsCommittedBeforeItsClientGetsIt: not a byte may leave while the handler can still fail.
func TestALargeAnswerIsCommittedBeforeItsClientGetsIt(t *testing.T) {
	t.Parallel()
	s, dir := spooling(t)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, pieces(w, bytesOf(200*kib)))
		if s.runs.Load() == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	require.Panics(t, func() { do(h, sent(`1`)) })
	require.Equal(t, backend.Absent, s.state(t), "an answer that was never finished is none")
	require.Empty(t, leftovers(t, dir))

	w := &watched{ResponseRecorder: do(h, sent(`1`, without("Idempotency-Key"))), before: func() {
		require.Equal(t, backend.Done, s.state(t))
	}}
	w.Body.Reset()
	h.ServeHTTP(w, sent(`1`))
	require.Greater(t, w.calls, 1)
	require.EqualValues(t, 2, s.runs.Load())
}

func TestALargeAnswerThatIsNotKeptIsDelivered(t *testing.T) {
	t.Parallel()
	s, dir := spooling(t)
	body := bytesOf(100 * kib)
	h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write(body)
	})
	for n := range 2 {
		first(t, do(h, sent(`1`)), 502, string(body))
		require.EqualValues(t, n+1, s.runs.Load())
	}
	require.Empty(t, leftovers(t, dir))
}

// TestAnAnswerThatCannotBeHeldWasDone: whatever hinders the spool, the handler has had its effect.
func TestAnAnswerThatCannotBeHeldWasDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   []httpadapter.Option
		hinder func(dir string) error
		want   error
	}{
		"because it is larger than MaxAnswer":  {[]httpadapter.Option{httpadapter.MaxAnswer(100 * kib)}, func(string) error { return nil }, httpadapter.ErrAnswerTooLarge},
		"because there is no place for a file": {nil, os.Remove, os.ErrNotExist},
		"because nothing may go beyond memory": {[]httpadapter.Option{httpadapter.MaxAnswer(0)}, func(string) error { return nil }, httpadapter.ErrAnswerTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := spooling(t, c.opts...)
			require.NoError(t, c.hinder(dir))
			h := s.wrap(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusCreated)
				require.ErrorIs(t, pieces(w, bytesOf(300*kib)), c.want)
				_, err := io.WriteString(w, "more")
				require.ErrorIs(t, err, c.want, "what comes after a gap must not pass for the answer")
			})
			for range 2 {
				p := refused(t, do(h, sent(`1`)), 409, idem.CodeAnswerNotKept)
				require.Equal(t, 201, p.OriginalStatus)
			}
			require.EqualValues(t, 1, s.runs.Load())
			require.Equal(t, backend.Done, s.state(t))
		})
	}
}

func TestAnAnswerThatCannotBeHeldAndIsNotKeptIsA500(t *testing.T) {
	t.Parallel()
	s, _ := spooling(t, httpadapter.MaxAnswer(0))
	w := do(s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_ = pieces(w, bytesOf(100*kib))
	}), sent(`1`))
	refused(t, w, 500, idem.CodeOther)
	require.Equal(t, backend.Absent, s.state(t))
}

func TestAFunctionsLargeAnswer(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 100*kib)
	for name, most := range map[string]int64{"is spooled": 1 << 20, "that cannot be held was done": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := spooling(t, httpadapter.MaxAnswer(most))
			h := httpadapter.Handle(s.m, func(context.Context, idem.User, struct{}) (string, error) {
				s.runs.Add(1)
				return text, nil
			})
			if w := do(h, sent(``)); most > 0 {
				first(t, w, 200, `"`+text+`"`)
			} else {
				refused(t, w, 409, idem.CodeAnswerNotKept)
			}
			refused(t, do(h, sent(``)), 409, idem.CodeAnswerNotKept)
			require.EqualValues(t, 1, s.runs.Load())
			require.Empty(t, leftovers(t, dir))
		})
	}
}

func TestALargeAnswerToHEADHasItsLength(t *testing.T) {
	t.Parallel()
	s, _ := spooling(t, httpadapter.Methods("HEAD"))
	server := serve(t, s.wrap(func(w http.ResponseWriter, _ *http.Request) { _ = pieces(w, bytesOf(100*kib)) }))
	r := post(t, server, http.NoBody)
	r.Method = "HEAD"
	resp, body := exchange(t, server, r)
	require.EqualValues(t, 100*kib, resp.ContentLength)
	require.Empty(t, body)
}

func TestASpoolNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	for _, o := range []httpadapter.Option{
		httpadapter.SpoolDir(filepath.Join(t.TempDir(), "none")), httpadapter.SpoolDir("/dev/null"), httpadapter.MaxAnswer(-1),
	} {
		_, err := newService(t).m.Route(o)
		var wrong *idem.OptionError
		require.ErrorAs(t, err, &wrong)
	}
}

// TestALargeAnswerHasTheTypeOfItsBeginning: also on a writer that guesses nothing by itself.
func TestALargeAnswerHasTheTypeOfItsBeginning(t *testing.T) {
	t.Parallel()
	s, _ := spooling(t)
	w := &sink{http.Header{}}
	s.wrap(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE html>")
		_, _ = w.Write(bytesOf(100 * kib))
	}).ServeHTTP(w, sent(`1`))
	require.Equal(t, []string{"text/html; charset=utf-8"}, w.header["Content-Type"])
}
