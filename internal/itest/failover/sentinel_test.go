package failover

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/redisserver"
)

func groupURL(g *redisserver.Group) string {
	addrs := g.Addrs()
	return fmt.Sprintf("redis+sentinel://%s/0?%s", addrs[0], url.Values{"master_name": {g.Name}, "addr": addrs[1:]}.Encode())
}

// Four processes call while the master of a group is killed and the Sentinels promote a replica.
func TestAMasterUnderSentinelsIsKilled(t *testing.T) {
	t.Parallel()
	group := redisserver.StartGroup(t, written...)
	for _, n := range group.Nodes {
		n.KeepAll()
	}
	at := groupURL(group)
	o := order{URL: at, Calls: 9_600, Keys: 1000, Callers: 8}
	crowd := startCrowd(t, 4, o)
	crowd.reach(o.Calls / 3)
	group.Nodes[0].Kill()
	masters.Add(1)
	h := crowd.wait()
	require.Equal(t, o.Calls, h.calls)
	_, lost := h.judge(t, at, allWritten(group.Nodes), func(int) bool { return true })
	t.Logf("%d of %d keys that had an answer lost it; %d runs, codes %v", lost, len(h.answers), h.runs, h.codes)
}

// What a failover loses: answers that were told, and that no replica had when their master died. They were stored when
// they were told; the call runs again, and from then on the new answer is told.
func TestAFailoverForgetsWhatNoReplicaHad(t *testing.T) {
	t.Parallel()
	group := redisserver.StartGroup(t, written...)
	store, err := backend.Open(t.Context(), groupURL(group))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	guard, err := idem.New("failover", store.Store, idem.Lease(5*time.Second))
	require.NoError(t, err)

	// An answer is so long that the sockets between the servers do not hold all of them.
	padding := strings.Repeat(".", 200_000)
	const copied, others = 20, 100
	ask := func(key int) (answer string, replayed bool) {
		res, err := idem.DoResult(t.Context(), guard, keyOf(key), owner, key, func(context.Context, int) (string, error) {
			return rand.Text() + padding, nil
		}, idem.Wait(patience)) // where a claim is there and its answer is lost, its lease is waited for
		require.NoError(t, err)
		return strings.TrimRight(res.Value, "."), res.Replayed
	}
	told := map[int]string{}
	for key := range copied {
		told[key], _ = ask(key)
	}
	master := group.Nodes[0]
	master.AwaitCopies(2)
	for _, replica := range group.Nodes[1:] {
		replica.Pause()
	}
	for key := copied; key < copied+others; key++ {
		told[key], _ = ask(key)
	}
	master.Kill()
	masters.Add(1)
	for _, replica := range group.Nodes[1:] {
		replica.Resume()
	}
	stored := string(master.Written())
	for key, answer := range told {
		require.Contains(t, stored, answer, "key %d: an answer was told that was never stored", key)
	}
	group.AwaitWhole()

	lost := 0
	for key, before := range told {
		now, replayed := ask(key)
		if now != before {
			require.GreaterOrEqual(t, key, copied, "an answer is lost that both replicas had")
			require.False(t, replayed)
			lost++
		}
		again, replayed := ask(key)
		require.True(t, replayed)
		require.Equal(t, now, again)
	}
	require.NotZero(t, lost, "the sockets held everything: this has shown nothing")
	t.Logf("%d of %d answers that no replica had were lost, none of the %d that they had", lost, others, copied)
}
