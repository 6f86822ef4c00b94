package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFaultsAreOffByDefault(t *testing.T) {
	t.Parallel()
	c, err := parse(nil, "")
	require.NoError(t, err)
	require.False(t, c.faults)

	a := serve(t, withoutFaults)
	all := []string{"X-Demo-Delay: 1m", "X-Demo-Status: 503", "X-Demo-Panic: 1", "X-Demo-Crash: before-effect"}
	require.Equal(t, http.StatusCreated, a.do(t, predict("k", all...)).status)
	require.Equal(t, http.StatusCreated, a.do(t, pay("k", all...)).status)
	require.Equal(t, http.StatusNotFound, a.do(t, get("/debug/executions")).status)
}

func TestADemandedStatusHasNoEffect(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, c := range []struct {
		status string
		want   int
	}{{"503", 503}, {"429", 429}, {"409", 409}} {
		for _, route := range []call{predict("k", "X-Demo-Status: "+c.status), pay("k", "X-Demo-Status: "+c.status)} {
			require.Equal(t, c.want, a.do(t, route).status)
		}
	}
	require.Equal(t, "[]\n", a.do(t, get("/predictions")).body)
	require.Equal(t, "[]\n", a.do(t, get("/payouts")).body)
	require.Equal(t, 6, a.executions(t), "all of them were released")

	require.Equal(t, http.StatusNoContent, a.do(t, predict("empty", "X-Demo-Status: 204")).status)
	empty := a.do(t, predict("empty"))
	require.Equal(t, http.StatusNoContent, empty.status)
	require.True(t, empty.replayed(), "204 is an answer, and the header is no part of the request")
	require.Equal(t, http.StatusNoContent, a.do(t, pay("empty", "X-Demo-Status: 204")).status)
	require.False(t, a.do(t, pay("empty")).replayed(), "on /payouts every demanded status is an error that releases")
}

func TestAPanicLeavesTheKeyFree(t *testing.T) {
	t.Parallel()
	a := serve(t)
	_, err := a.try(t.Context(), predict("k", "X-Demo-Panic: 1"))
	require.Error(t, err)
	r := a.do(t, predict("k"))
	require.Equal(t, http.StatusCreated, r.status)
	require.False(t, r.replayed())
	require.Contains(t, a.logged(), "X-Demo-Panic")
}

func TestAFaultThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, line := range []string{
		"X-Demo-Delay: soon", "X-Demo-Delay: -1s", "X-Demo-Delay: 61s", "X-Demo-Status: 199", "X-Demo-Status: 600",
		"X-Demo-Status: ok", "X-Demo-Panic: please", "X-Demo-Crash: now",
	} {
		require.Equal(t, http.StatusBadRequest, a.do(t, predict("k", line)).status, line)
	}
	require.Zero(t, a.executions(t))
	require.Equal(t, http.StatusCreated, a.do(t, predict("k")).status)
}

func TestADelayComesBeforeTheEffect(t *testing.T) {
	t.Parallel()
	a := serve(t)
	began := time.Now()
	slow := a.later(t.Context(), predict("k", "X-Demo-Delay: 500ms"))
	a.ran(t, 1)
	require.Equal(t, "[]\n", a.do(t, get("/predictions")).body)
	require.Equal(t, http.StatusCreated, (<-slow).status)
	require.GreaterOrEqual(t, time.Since(began), 500*time.Millisecond)
}
