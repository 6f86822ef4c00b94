package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/drivers/sqlite"
)

var selftestLine = regexp.MustCompile(`^executed 1, replayed (\d+), in flight (\d+)\n$`)

// This test sets the directory for temporary files, so it does not run beside others.
func TestTheSelfTestPassesAndLeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	named := filepath.Join(t.TempDir(), "named.db")
	for _, backend := range []string{"", "memory:", "sqlite:" + named} {
		t.Run("on backend "+backend[:min(len(backend), 7)], func(t *testing.T) {
			status, stdout, stderr := runProgram(t, backend, "-selftest")
			require.Zero(t, status, stderr)
			found := selftestLine.FindStringSubmatch(stdout)
			require.Len(t, found, 3, stdout)
			replayed, err := strconv.Atoi(found[1])
			require.NoError(t, err)
			inFlight, err := strconv.Atoi(found[2])
			require.NoError(t, err)
			require.Equal(t, duplicates-1, replayed+inFlight)
		})
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)

	db, _, err := sqlite.Open(t.Context(), named)
	require.NoError(t, err)
	defer db.Close()
	var records int
	require.NoError(t, db.GetContext(t.Context(), &records, `SELECT count(*) FROM idem_records`))
	require.Zero(t, records, "the record stayed in the backend that was named")
}

func TestTheSelfTestPassesOnRedis(t *testing.T) {
	server := os.Getenv("IDEM_TEST_REDIS")
	if server == "" {
		t.Skip("NOT TESTED: IDEM_TEST_REDIS names no Redis server, as in redis://127.0.0.1:6379")
	}
	t.Setenv("TMPDIR", t.TempDir())
	url := fmt.Sprintf("%s?prefix=selftest-%d:", server, os.Getpid())
	status, stdout, stderr := runProgram(t, url, "-selftest")
	require.Zero(t, status, stderr)
	require.Regexp(t, selftestLine, stdout)

	h, err := backend.Open(t.Context(), url)
	require.NoError(t, err)
	defer h.Close()
	left, _, err := h.Store.(backend.Inspector).List(t.Context(), backend.Filter{}, backend.Cursor{}, 1)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestTheSelfTestFailsWhereItShould(t *testing.T) {
	t.Parallel()
	answer := func(status int, replayed bool) *http.Response {
		r := &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}}
		if replayed {
			r.Header.Set("Idempotent-Replayed", "true")
		}
		return r
	}
	for _, c := range []struct {
		name     string
		executed int64
		answers  []*http.Response
		err      error
		want     string
	}{
		{"all is well", 1, []*http.Response{answer(201, false), answer(201, true), answer(409, false)}, nil, ""},
		{"two runs", 2, []*http.Response{answer(201, false), answer(201, false)}, nil, "ran 2 times"},
		{"no run", 0, []*http.Response{answer(201, false)}, nil, "ran 0 times"},
		{"two first answers for one run", 1, []*http.Response{answer(201, false), answer(201, false)}, nil, "2 clients got a first answer"},
		{"no first answer", 1, []*http.Response{answer(201, true)}, nil, "0 clients got a first answer"},
		{"another answer", 1, []*http.Response{answer(201, false), answer(503, false)}, nil, "neither 201 nor 409"},
		{"no answer", 1, []*http.Response{answer(201, false)}, errors.New("connection reset"), "connection reset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sum tally
			for _, r := range c.answers {
				sum.add(r, nil)
			}
			if c.err != nil {
				sum.add(nil, c.err)
			}
			err := sum.report(new(bytes.Buffer), c.executed)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
