package failover

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/internal/itest/redisserver"
)

// written are settings under which a node keeps every word that it was told to write.
var written = []string{"appendonly yes", "appendfsync no", "rdbcompression no", "auto-aof-rewrite-percentage 0"}

// killed are those of a Cluster a master of which is killed: a machine that is only busy for a moment kills no other.
var killed = append([]string{"cluster-node-timeout 3000"}, written...)

func clusterURL(c *redisserver.Cluster, query string) string {
	addrs := c.Addrs()
	return "redis+cluster://" + addrs[0] + "?" + url.Values{"addr": addrs[1:]}.Encode() + query
}

// Slots move from master to master and scripts are flushed, while four processes call.
func TestNothingIsLostWithoutAFailover(t *testing.T) {
	t.Parallel()
	cluster := redisserver.StartCluster(t, "cluster-node-timeout 60000") // so that a busy machine is no failover
	at := clusterURL(cluster, "")
	o := order{URL: at, Calls: 9_600, Keys: 400, Callers: 8}
	crowd := startCrowd(t, 4, o)
	const moves = 20
	for i := range moves {
		crowd.reach(o.Calls * (i + 1) / moves / 2)
		from, to := cluster.Nodes[i%3], cluster.Nodes[(i+1)%3]
		from.Do("script", "flush")
		cluster.MoveSlot(cluster.Slot(from.Do("randomkey").(string)), to)
	}
	h := crowd.wait()
	require.Equal(t, o.Calls, h.calls)
	require.Greater(t, len(h.answers), o.Keys*9/10)
	for key, told := range h.answers {
		require.Len(t, told, 1, "key %d has several answers", key)
	}
	require.Equal(t, len(h.answers), h.runs, "something ran twice")
	now, lost := h.again(t, at)
	require.Empty(t, lost)
	for key, told := range h.answers {
		require.Equal(t, told, []string{now[key]})
	}
	t.Logf("%d slots moved, codes %v", moves, h.codes)
}

// A hundred thousand calls with a thousand keys by four processes, while a master is killed.
func TestAMasterOfAClusterIsKilled(t *testing.T) {
	t.Parallel()
	cluster := redisserver.StartCluster(t, killed...)
	at := clusterURL(cluster, "")
	o := order{URL: at, Calls: 100_000, Keys: 1000, Callers: 8}
	crowd := startCrowd(t, 4, o)
	crowd.reach(o.Calls / 3)
	homes := homesOf(t, cluster, o.Keys)
	cluster.Nodes[0].Kill()
	masters.Add(1)
	h := crowd.wait()
	require.Equal(t, o.Calls, h.calls)
	_, lost := h.judge(t, at, allWritten(cluster.Nodes), homes.lost(cluster))
	t.Logf("%d of %d keys that had an answer lost it; %d runs, codes %v", lost, len(h.answers), h.runs, h.codes)
}

// With a replica that has every claim and every answer before somebody is told, a failover to it loses none of them.
func TestAMasterIsKilledWhoseReplicaHasEveryAnswer(t *testing.T) {
	t.Parallel()
	cluster := redisserver.StartCluster(t, killed...)
	at := clusterURL(cluster, "&min_replicas=1")
	o := order{URL: at, Calls: 9_600, Keys: 1000, Callers: 8}
	crowd := startCrowd(t, 4, o)
	crowd.reach(o.Calls / 3)
	homes := homesOf(t, cluster, o.Keys)
	victim := cluster.Nodes[0]
	victim.Kill()
	masters.Add(1)
	before := victim.Written()
	cluster.AwaitWhole()
	victim.Restart() // as the replica of its heir, which takes no claim without one
	h := crowd.wait()
	require.Equal(t, o.Calls, h.calls)
	now, lost := h.judge(t, at, append(allWritten(cluster.Nodes), before...), homes.lost(cluster))
	for key, own := range h.own {
		require.Equal(t, []string{now[key]}, own, "key %d: an answer that a replica had is lost", key)
	}
	t.Logf("%d keys had an answer that was lost, told by a replay before a replica had it; %d runs, codes %v", lost, h.runs, h.codes)
}

// homes is, by key, the node that its record was on when the test began.
type homes []*redisserver.Server

func homesOf(t *testing.T, c *redisserver.Cluster, keys int) homes {
	t.Helper()
	client := c.Nodes[0].Client()
	defer func() { require.NoError(t, client.Close()) }()
	all, slots := make(homes, keys), make([]int, keys)
	for key := range slots {
		slot, err := client.ClusterKeySlot(t.Context(), recordOf(key)).Result()
		require.NoError(t, err)
		slots[key] = int(slot)
	}
	for _, n := range c.Masters() {
		serves := c.Serves(n)
		for key, slot := range slots {
			if serves(slot) {
				all[key] = n
			}
		}
	}
	return all
}

// lost returns a condition for the keys whose node serves them no more.
func (h homes) lost(c *redisserver.Cluster) func(key int) bool {
	left := c.Masters()
	return func(key int) bool { return !slices.Contains(left, h[key]) }
}

func allWritten(nodes []*redisserver.Server) (all []byte) {
	for _, n := range nodes {
		all = append(all, n.Written()...)
	}
	return all
}

// judge holds what was told against what was ever stored and what is told now, which it returns, and how many answers were
// lost: of keys that were hit, one each at most.
func (h heard) judge(t *testing.T, url string, written []byte, hit func(key int) bool) (now map[int]string, lost int) {
	t.Helper()
	stored := answersIn(written)
	now, anew := h.again(t, url)
	for key, told := range h.answers {
		for _, answer := range told {
			if !stored[answer] {
				require.FailNow(t, "an answer was told that was never stored", "key %d: %s", key, answer)
			}
		}
		answers := len(told)
		if slices.Contains(anew, key) {
			answers++
		} else {
			require.Contains(t, told, now[key], "key %d: what is stored was told to nobody", key)
		}
		if hit(key) {
			require.LessOrEqual(t, answers, 2, "key %d: one failover loses one answer", key)
		} else {
			require.Equal(t, 1, answers, "key %d has several answers though its master lives", key)
		}
		lost += answers - 1
	}
	require.Zero(t, h.codes[idem.CodeOther])
	return now, lost
}

// answersIn finds the answers in what a server has written: base32 words of 26 letters between quotes.
func answersIn(written []byte) map[string]bool {
	all := map[string]bool{}
	for _, word := range bytes.FieldsFunc(written, func(r rune) bool { return r == '"' }) {
		if len(word) == 26 && !slices.ContainsFunc(word, func(b byte) bool { return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", rune(b)) }) {
			all[string(word)] = true
		}
	}
	return all
}
