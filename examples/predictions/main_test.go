package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func runProgram(t *testing.T, backend string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a server that should not have started
	defer cancel()
	var out, errs bytes.Buffer
	status = program(ctx, args, backend, &out, &errs)
	return status, out.String(), errs.String()
}

func TestAWrongStartIsOneLineAndAStatus(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "test.db")
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	require.NoError(t, os.WriteFile(foreign, []byte(strings.Repeat("not a database. ", 100)), 0o600))
	free := []string{"-addr", "127.0.0.1:0"}
	for _, c := range []struct {
		name   string
		args   []string
		env    string
		status int
		want   string
	}{
		{"an unknown flag", append(free, "-db", file, "-port", "1"), "", 2, "-port"},
		{"an argument", append(free, "-db", file, "serve"), "", 2, `"serve"`},
		{"a lease that is no duration", append(free, "-db", file, "-lease", "30"), "", 2, "-lease"},
		{"a lease that is too short", append(free, "-db", file, "-lease", "999ms"), "", 2, "-lease"},
		{"a lease that is too long", append(free, "-db", file, "-lease", "25h"), "", 2, "-lease"},
		{"a busy address", []string{"-addr", taken.Addr().String(), "-db", file}, "", 1, "address already in use"},
		{"an address that is none", []string{"-addr", "nowhere", "-db", file}, "", 1, "-addr: "},
		{"a file in no directory", append(free, "-db", filepath.Join(file, "x.db")), "", 1, "-db: "},
		{"a file that is no database", append(free, "-db", foreign), "", 1, "-db: "},
		{"a backend that is no URL", append(free, "-db", file, "-backend", "redis"), "", 1, "-backend: "},
		{"a backend that nobody imported", append(free, "-db", file, "-backend", "other://u:secret@h"), "", 1, `unknown scheme "other"`},
		{"the same in the environment", append(free, "-db", file), "other://u:secret@h", 1, `unknown scheme "other"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, stdout, stderr := runProgram(t, c.env, c.args...)
			require.Equal(t, c.status, status)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			require.True(t, strings.HasPrefix(stderr, "predictions: "), stderr)
			require.Contains(t, stderr, c.want)
			require.NotContains(t, stderr, "secret")
		})
	}
}

func TestHelpIsNoError(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := runProgram(t, "", "-h")
	require.Zero(t, status)
	require.Equal(t, usage, stdout)
	require.Empty(t, stderr)
}

func TestFlagsGoBeforeTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := parse([]string{"-lease", "2s"}, "memory:")
	require.NoError(t, err)
	require.Equal(t, config{addr: "127.0.0.1:8080", db: "predictions.db", backend: "memory:", lease: 2 * time.Second}, c)
	c, err = parse([]string{"-backend", ""}, "memory:")
	require.NoError(t, err)
	require.Empty(t, c.backend)
}

func TestALeaseMayBeLongerThanTheUsualBoundOfARun(t *testing.T) {
	t.Parallel()
	a := serve(t, func(c *config) { c.lease = 10 * time.Minute })
	require.Equal(t, http.StatusCreated, a.do(t, pay("k")).status)
}

func TestTheWelcomeHasALineForEachRule(t *testing.T) {
	t.Parallel()
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	var first, second bytes.Buffer
	require.NoError(t, welcome(&first, config{db: "app.db"}, addr))
	require.NoError(t, welcome(&second, config{backend: "other://u:secret@h", faults: true}, addr))
	require.True(t, strings.HasPrefix(first.String(), "listening on http://127.0.0.1:8080\n"))
	require.Equal(t, 1+1+1+1+2+2+1, strings.Count(first.String(), "curl "), first.String())
	for _, title := range []string{"201", "Idempotent-Replayed", "422", "400", "409", "payout", "stand-in for real authentication"} {
		require.Contains(t, first.String(), title)
	}
	require.Contains(t, first.String(), "app.db")
	require.NotContains(t, first.String(), "-H 'X-Demo-Delay")
	require.Contains(t, second.String(), "-H 'X-Demo-Delay: 2s'")
	require.NotContains(t, second.String(), "secret")
	require.NotContains(t, second.String(), keyIn(t, first.String()), "the keys of the last start have answers already")
}

func keyIn(t *testing.T, text string) string {
	t.Helper()
	found := regexp.MustCompile(`"first-[a-z2-7]+"`).FindString(text)
	require.NotEmpty(t, found)
	return found
}
