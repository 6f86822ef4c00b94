package redisserver

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKilledServerIsGoneAndComesBackWithWhatItKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings []string
		kept     any
	}{
		"nothing":     {kept: int64(0)},
		"append-only": {settings: []string{"appendonly yes", "appendfsync always"}, kept: int64(1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, c.settings...)
			require.Equal(t, "OK", s.Do("set", "key", "value"))
			s.Kill()
			require.False(t, s.Up())
			_, err := net.Dial("tcp", s.Addr())
			require.Error(t, err)
			s.Restart()
			require.Equal(t, c.kept, s.Do("exists", "key"))
		})
	}
}

func TestAPausedServerKeepsItsConnectionsAndDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.Client()
	defer func() { require.NoError(t, c.Close()) }()
	require.NoError(t, c.Ping(t.Context()).Err())
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, c.Ping(ctx).Err())
	s.Resume()
	require.NoError(t, c.Ping(t.Context()).Err())
}

func TestServersOfOneMomentHavePortsOfTheirOwn(t *testing.T) {
	t.Parallel()
	ports := map[int]bool{}
	for range 5 {
		s := Start(t)
		require.False(t, ports[s.port])
		ports[s.port] = true
		require.Equal(t, "OK", s.Do("set", "port", s.port))
		require.Equal(t, int64(1), s.Do("dbsize"))
	}
}
