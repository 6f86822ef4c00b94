package redisbackend

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// nowhere is an address that nobody listens on: what is refused is refused before a server is asked.
const nowhere = "127.0.0.1:1"

func client(change ...func(*redis.Options)) *redis.Client {
	o := &redis.Options{Addr: nowhere, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1}
	for _, f := range change {
		f(o)
	}
	return redis.NewClient(o)
}

func clusterClient(change func(*redis.ClusterOptions)) *redis.ClusterClient {
	o := &redis.ClusterOptions{Addrs: []string{nowhere}, ContextTimeoutEnabled: true}
	change(o)
	return redis.NewClusterClient(o)
}

func TestAWrongOptionIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option Option
		want   string
	}{
		"nil":                     {nil, "option 1 of New is nil"},
		"an empty prefix":         {Prefix(""), "option Prefix"},
		"a pattern as prefix":     {Prefix("idem*"), "option Prefix"},
		"a slot as prefix":        {Prefix("{idem}:"), "option Prefix"},
		"a long prefix":           {Prefix(string(make([]byte, 65))), "option Prefix"},
		"no replica":              {MinReplicas(0, time.Second), "option MinReplicas"},
		"replicas without time":   {MinReplicas(1, 0), "option MinReplicas"},
		"replicas that time out":  {MinReplicas(1, time.Minute), "not shorter than the client's ReadTimeout"},
		"replicas without number": {MinReplicas(-1, time.Second), "option MinReplicas"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := client()
			defer on.Close()
			_, err := New(t.Context(), on, c.option)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAClientThatMustNotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": nowhere}})
	type custom struct{ *redis.Client }
	for name, c := range map[string]struct {
		client redis.UniversalClient
		want   string
	}{
		"none":                    {nil, "the client is nil"},
		"a nil one":               {(*redis.Client)(nil), "the client is nil"},
		"a ring":                  {ring, "where their records are not"},
		"another type":            {custom{client()}, "neither a *redis.Client nor a *redis.ClusterClient"},
		"deaf to deadlines":       {client(func(o *redis.Options) { o.ContextTimeoutEnabled = false }), "ContextTimeoutEnabled"},
		"a deaf cluster":          {clusterClient(func(o *redis.ClusterOptions) { o.ContextTimeoutEnabled = false }), "ContextTimeoutEnabled"},
		"reading from replicas":   {clusterClient(func(o *redis.ClusterOptions) { o.ReadOnly = true }), "reads from replicas"},
		"reading from the near":   {clusterClient(func(o *redis.ClusterOptions) { o.RouteByLatency = true }), "reads from replicas"},
		"reading from anywhere":   {clusterClient(func(o *redis.ClusterOptions) { o.RouteRandomly = true }), "reads from replicas"},
		"a server that is absent": {client(), "open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(t.Context(), c.client)
			require.ErrorContains(t, err, c.want)
			if c.client != nil && name != "a nil one" {
				require.NoError(t, c.client.Close())
			}
		})
	}
}

func TestAKeyIsThePrefixAndTheID(t *testing.T) {
	t.Parallel()
	c := config{prefix: "idem:"}
	id := backend.NewID("guard", "user", "key")
	key := c.key(id)
	require.Regexp(t, `^idem:[0-9a-f]{64}$`, key)
	back, ours := c.id(key)
	require.True(t, ours)
	require.Equal(t, id, back)
	for _, other := range []string{"", "idem:", key[1:], key + "0", key[:len(key)-1], "idem:" + string(make([]byte, 64)), "idem:" + key[5:67] + "ZZ", "idem:" + key[5:67] + "AB"} {
		_, ours := c.id(other)
		require.False(t, ours, "%q", other)
	}
}

func TestMillisecondsRoundUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Hour: 3_600_000, -time.Millisecond: -1,
	} {
		require.Equal(t, want, milliseconds(d), "%v", d)
	}
}
