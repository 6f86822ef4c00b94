//go:build !race

package httpadapter_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

const (
	mib       = 1 << 20
	childFlag = "IDEM_TEST_MEMORY_CHILD"
)

// TestMain lets this program be the server whose memory is measured.
func TestMain(m *testing.M) {
	if os.Getenv(childFlag) == "" {
		os.Exit(m.Run())
	}
	if err := serveMeasured(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveMeasured serves until its standard input ends: /large answers with 100 MiB, /echo with a digest of its body, and
// /peak tells what the process has needed at most, in KiB.
func serveMeasured() error {
	m := idem.Must(httpadapter.New(idem.Must(idem.New("orders", new(memtest.Store))), byHeader))
	mux := http.NewServeMux()
	mux.Handle("/large", m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := bytesOf(32 * kib)
		for range 100 * mib / len(piece) {
			if _, err := w.Write(piece); err != nil {
				panic(err)
			}
		}
	})))
	mux.Handle("/echo", m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
	})))
	mux.HandleFunc("/peak", func(w http.ResponseWriter, _ *http.Request) {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, peak, _ := strings.Cut(string(status), "VmHWM:")
		peak, _, _ = strings.Cut(peak, "kB")
		_, _ = io.WriteString(w, strings.TrimSpace(peak))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = l.Close()
	}()
	_ = http.Serve(l, mux)
	return nil
}

// measured starts the child and returns its address.
func measured(t *testing.T) string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childFlag+"=1", "TMPDIR="+t.TempDir())
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = child.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return "http://" + strings.TrimSpace(address)
}

// TestLargeBodiesAndAnswersAllocateLittle: an answer of 100 MiB and bodies of 1 GiB, against limits of 1 MiB, make the
// process grow by less than 16 MiB. The race detector multiplies what a process needs, so ./test runs this without it.
func TestLargeBodiesAndAnswersAllocateLittle(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the peak of a process is read from /proc")
	}
	url := measured(t)
	send := func(path, key string, body io.Reader, length int64) (status int, size int64, sum string) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", url+path, body)
		require.NoError(t, err)
		r.ContentLength = length
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set(userHeader, "alice")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, 0, "" // the server hung up while the body was sent, and the answer may be lost with it
		}
		defer resp.Body.Close()
		hash := sha256.New()
		size, err = io.Copy(hash, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, size, fmt.Sprintf("%x", hash.Sum(nil))
	}
	peak := func() int {
		resp, err := http.Get(url + "/peak")
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		kilobytes, err := strconv.Atoi(string(text))
		require.NoError(t, err, string(text))
		return kilobytes * kib
	}
	for i := range 20 { // what any server needs
		status, _, _ := send("/echo", fmt.Sprint("warm-", i), strings.NewReader("1"), 1)
		require.Equal(t, 200, status)
	}
	before := peak()

	whole, piece := sha256.New(), bytesOf(32*kib)
	for range 100 * mib / len(piece) {
		_, _ = whole.Write(piece)
	}
	status, size, sum := send("/large", "large", strings.NewReader("1"), 1)
	require.Equal(t, 200, status)
	require.EqualValues(t, 100*mib, size)
	require.Equal(t, fmt.Sprintf("%x", whole.Sum(nil)), sum)
	status, _, _ = send("/large", "large", strings.NewReader("1"), 1)
	require.Equal(t, 409, status)

	for name, length := range map[string]int64{"announced": 1024 * mib, "chunked": -1} {
		status, _, _ = send("/echo", "body-"+name, io.LimitReader(zeros{}, 1024*mib), length)
		require.Contains(t, []int{413, 0}, status, name)
	}
	status, _, _ = send("/echo", "body-chunked", strings.NewReader("1"), 1)
	require.Equal(t, 200, status, "the key must not have been claimed")

	grown := peak() - before
	t.Logf("the process has grown by %.1f MiB to %.1f MiB", float64(grown)/mib, float64(before+grown)/mib)
	require.Less(t, grown, 16*mib)
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
