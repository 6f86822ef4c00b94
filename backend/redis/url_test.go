package redisbackend

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

const secret = "pa55word"

func TestAURLIsReadAsIdemAndGoRedisKnowIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		place  string
		config config
	}{
		"redis://h:1":                                 {"redis://h:1", config{readable: true}},
		"redis://u:p@h:1/2?protocol=2":                {"redis://u:p@h:1/2?protocol=2", config{readable: true}},
		"rediss://h?prefix=a%3A&pool_size=3":          {"rediss://h?pool_size=3", config{prefix: "a:", readable: true}},
		"redis://h?readable=false":                    {"redis://h", config{}},
		"redis://h?readable=true":                     {"redis://h", config{readable: true}},
		"redis://h?accept_eviction=true":              {"redis://h", config{readable: true, acceptEvicted: true}},
		"redis://h?pipelining=false":                  {"redis://h", config{readable: true}},
		"redis://h?pipelining=true":                   {"redis://h", config{readable: true, pipelining: true}},
		"redis+cluster://h?addr=i:2&addr=j:3":         {"redis://h?addr=i:2&addr=j:3", config{readable: true}},
		"redis+cluster://h?tls=true":                  {"rediss://h", config{readable: true}},
		"redis+sentinel://h/1?master_name=m&tls=true": {"rediss://h/1?master_name=m", config{readable: true}},
		"redis://h?min_replicas=2":                    {"redis://h", config{readable: true, replicas: replicas{2, time.Second}}},
		"redis://h?min_replicas_timeout=50ms&min_replicas=1": {
			"redis://h", config{readable: true, replicas: replicas{1, 50 * time.Millisecond}},
		},
	} {
		place, opts, err := parseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want.place, place, text)
		got := config{readable: true}
		for _, o := range opts {
			require.NoError(t, o.configure(&got), text)
		}
		require.Equal(t, want.config, got, text)
	}
}

func TestAWrongURLIsRefusedWithoutBeingRepeated(t *testing.T) {
	t.Parallel()
	at := "u:" + secret + "@" + nowhere
	for text, want := range map[string]string{
		"redis:":                                                   "write redis://",
		"redis://":                                                 "write redis://",
		"redis:///0":                                               "write redis://",
		"redis://" + at + "/db":                                    "write redis://",
		"redis://" + at + "?unheard=" + secret:                     "write redis://",
		"redis://u:" + secret + "%zz@h":                            "write redis://",
		"redis://u:p?" + secret + "=1@h":                           "write redis://",
		"redis://" + at + "?tls=true":                              "write redis://",
		"redis+cluster://":                                         "write redis+cluster://",
		"redis+cluster://" + at + "?read_only=maybe":               "write redis+cluster://",
		"redis+cluster://" + at + "?read_only=true":                "reads from replicas",
		"redis+sentinel://" + at:                                   "write redis+sentinel://",
		"redis+sentinel://" + at + "?tls=perhaps":                  "parameter tls must be true or false",
		"redis://" + at + "?readable=no":                           "parameter readable must be true or false",
		"redis://" + at + "?accept_eviction=":                      "parameter accept_eviction must be true or false",
		"redis://" + at + "?pipelining=1":                          "parameter pipelining must be true or false",
		"redis://" + at + "?prefix=":                               "option Prefix",
		"redis://" + at + "?prefix=a&prefix=b":                     "parameter prefix is given twice",
		"redis://" + at + "?prefix=%zz":                            "parameter prefix cannot be read",
		"redis://" + at + "?min_replicas=x":                        "parameter min_replicas must be a number",
		"redis://" + at + "?min_replicas=0":                        "option MinReplicas",
		"redis://" + at + "?min_replicas_timeout=1s":               "needs min_replicas",
		"redis://" + at + "?min_replicas=1&min_replicas_timeout=1": "must be a duration",
	} {
		_, err := backend.Open(t.Context(), text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), secret, text)
	}
}

func TestClientsFromAURLObeyDeadlines(t *testing.T) {
	t.Parallel()
	one, err := dialServer("redis://h")
	require.NoError(t, err)
	defer one.Close()
	require.True(t, one.(*redis.Client).Options().ContextTimeoutEnabled)
	many, err := dialCluster("redis://h")
	require.NoError(t, err)
	defer many.Close()
	require.True(t, many.(*redis.ClusterClient).Options().ContextTimeoutEnabled)
	watched, err := dialSentinel("redis://h?master_name=m")
	require.NoError(t, err)
	defer watched.Close()
	require.True(t, watched.(*redis.Client).Options().ContextTimeoutEnabled)
}
