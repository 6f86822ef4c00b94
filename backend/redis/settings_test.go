package redisbackend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestSettingsAreJudged(t *testing.T) {
	t.Parallel()
	good := func() settings {
		return settings{
			info:   map[string]string{"role": "master", "redis_version": "7.0.15", "connected_slaves": "2", "aof_enabled": "1", "maxmemory_policy": "noeviction"},
			config: map[string]string{"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always", "save": "", "min-replicas-to-write": "1"},
		}
	}
	careful := config{replicas: replicas{1, time.Second}}
	require.Empty(t, careful.judge(good()))
	for name, c := range map[string]struct {
		change   func(*settings)
		severity backend.Severity
		setting  string
	}{
		"a replica":           {func(s *settings) { s.info["role"] = "slave" }, backend.Error, "role"},
		"an older server":     {func(s *settings) { s.info["redis_version"] = "6.2.14" }, backend.Warning, "redis_version"},
		"eviction":            {func(s *settings) { s.config["maxmemory-policy"] = "volatile-ttl" }, backend.Error, "maxmemory-policy"},
		"no persistence":      {func(s *settings) { s.config["appendonly"] = "no" }, backend.Error, "appendonly, save"},
		"snapshots":           {func(s *settings) { s.config["appendonly"], s.config["save"] = "no", "60 1" }, backend.Warning, "appendonly"},
		"a sync a second":     {func(s *settings) { s.config["appendfsync"] = "everysec" }, backend.Warning, "appendfsync"},
		"no sync":             {func(s *settings) { s.config["appendfsync"] = "no" }, backend.Warning, "appendfsync"},
		"too few replicas":    {func(s *settings) { s.info["connected_slaves"] = "0" }, backend.Error, "connected_slaves"},
		"a master cut off":    {func(s *settings) { s.config["min-replicas-to-write"] = "0" }, backend.Warning, "min-replicas-to-write"},
		"no INFO":             {func(s *settings) { s.info = nil }, backend.Warning, "INFO"},
		"no CONFIG":           {func(s *settings) { s.config = nil }, backend.Warning, "CONFIG GET"},
		"no CONFIG, snapshot": {func(s *settings) { s.config, s.info["aof_enabled"] = nil, "0" }, backend.Warning, "appendonly"},
	} {
		s := good()
		c.change(&s)
		found := careful.judge(s)
		require.NotEmpty(t, found, name)
		require.Equal(t, c.severity, found[0].Severity, name)
		require.Equal(t, c.setting, found[0].Setting, name)
	}
	plain := config{}
	found := plain.judge(good())
	require.Len(t, found, 1)
	require.Equal(t, "MinReplicas", found[0].Setting)
}

func TestInfoIsRead(t *testing.T) {
	t.Parallel()
	got := fields("# Server\r\nredis_version:7.0.15\r\nempty:\r\nwith:a:colon\r\n\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n")
	require.Equal(t, map[string]string{"redis_version": "7.0.15", "empty": "", "with": "a:colon", "maxmemory_policy": "noeviction"}, got)
}
