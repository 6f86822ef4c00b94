package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

const slots = 16384

// cluster are masters of a test's own, without replicas, which share the slots.
type cluster struct {
	nodes []*server
	each  []*redis.Client
}

func startCluster(t *testing.T, masters int, args ...string) *cluster {
	t.Helper()
	c := &cluster{}
	for range masters {
		node := startServer(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "2000"}, args...)...)
		client := redis.NewClient(node.options())
		t.Cleanup(func() { _ = client.Close() })
		c.nodes, c.each = append(c.nodes, node), append(c.each, client)
	}
	for i, client := range c.each {
		first, last := i*slots/masters, (i+1)*slots/masters-1
		require.NoError(t, client.ClusterAddSlotsRange(t.Context(), first, last).Err())
		require.NoError(t, client.ClusterMeet(t.Context(), "127.0.0.1", c.nodes[0].portText()).Err())
	}
	require.Eventually(t, func() bool {
		for _, client := range c.each {
			info := client.ClusterInfo(t.Context()).Val()
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters)) {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
	return c
}

func (c *cluster) client(tb backendtest.TB) *redis.ClusterClient {
	var addrs []string
	for _, node := range c.nodes {
		addrs = append(addrs, node.addr())
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func (c *cluster) open(tb backendtest.TB, prefix string, opts ...redisbackend.Option) *redisbackend.Store {
	tb.Helper()
	store, err := redisbackend.New(tb.Context(), c.client(tb), append(opts, redisbackend.Prefix(prefix))...)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func TestStoreKeepsTheContractOnACluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	t.Run("the suite", func(t *testing.T) {
		backendtest.Run(t, func(t *testing.T) backendtest.Harness {
			t.Parallel()
			var parts []*storage
			for _, node := range c.nodes {
				part := newStorage(t, node.options())
				parts = append(parts, part)
				part.prefix = parts[0].prefix
			}
			return backendtest.Harness{
				Open: func(tb backendtest.TB) backend.Store { return c.open(tb, parts[0].prefix) },
				Advance: func(tb backendtest.TB, d time.Duration) {
					for _, part := range parts {
						part.advance(tb, d)
					}
				},
				SelfExpiring: true,
			}
		})
	})
}

func TestEveryMasterOfAClusterIsChecked(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	store := c.open(t, "idem:")
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	for _, node := range c.nodes {
		require.Contains(t, settingsOf(found, backend.Error), "appendonly, save=no, none on "+node.addr())
	}
	require.NoError(t, c.each[2].ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	_, err = redisbackend.New(t.Context(), c.client(t))
	require.ErrorContains(t, err, "maxmemory-policy is allkeys-lru")
	found, err = store.Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, settingsOf(found, backend.Error), "maxmemory-policy=allkeys-lru on "+c.nodes[2].addr())
}

// slot is where a key is: the node that has it, and another one.
func (c *cluster) slot(t *testing.T, key string) (number int64, has, other int) {
	t.Helper()
	number = c.each[0].ClusterKeySlot(t.Context(), key).Val()
	has = int(number) * len(c.nodes) / slots
	return number, has, (has + 1) % len(c.nodes)
}

// A slot that moves takes its records along, and calls follow, also while some of them are here and others there.
func TestCallsFollowASlotThatMoves(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]redisbackend.Option{
		"plain":              nil,
		"waiting for copies": {redisbackend.MinReplicas(1, 2*time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, 3)
			if opts != nil {
				for _, node := range c.nodes {
					c.follow(t, node)
				}
			}
			ctx, prefix := t.Context(), "idem:"
			store := c.open(t, prefix, opts...)
			own := claimOf("key")
			key := fmt.Sprintf("%s%x", prefix, own.ID[:])
			begins(t, store, own, backend.Claimed)

			slot, from, to := c.slot(t, key)
			fromID, toID := c.each[from].ClusterMyID(ctx).Val(), c.each[to].ClusterMyID(ctx).Val()
			require.NoError(t, c.each[to].Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID).Err())
			require.NoError(t, c.each[from].Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID).Err())
			begins(t, store, again(own), backend.InFlight)
			require.NoError(t, c.each[from].Migrate(ctx, "127.0.0.1", c.nodes[to].portText(), key, 0, time.Second).Err())
			begins(t, store, again(own), backend.InFlight) // by way of ASK
			completes(t, store, own, "answer", backend.Kept)
			for _, i := range []int{to, from} {
				require.NoError(t, c.each[i].Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", toID).Err())
			}
			require.Equal(t, "answer", string(begins(t, store, again(own), backend.Replay).Answer)) // by way of MOVED
			records, _, err := store.List(ctx, backend.Filter{}, backend.Cursor{}, 10)
			require.NoError(t, err)
			require.Len(t, records, 1)
		})
	}
}

// follow gives a master of the cluster a replica.
func (c *cluster) follow(t *testing.T, master *server) {
	t.Helper()
	replica := startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
	client := redis.NewClient(replica.options())
	t.Cleanup(func() { _ = client.Close() })
	at := redis.NewClient(master.options())
	defer at.Close()
	require.NoError(t, client.ClusterMeet(t.Context(), "127.0.0.1", master.portText()).Err())
	id := at.ClusterMyID(t.Context()).Val()
	require.Eventually(t, func() bool { return client.ClusterReplicate(t.Context(), id).Err() == nil }, patience, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		return client.InfoMap(t.Context(), "replication").Item("Replication", "master_link_status") == "up"
	}, patience, 20*time.Millisecond)
}
