package redisserver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAClusterPromotesTheReplicaOfAKilledMaster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t)
	client := c.Client()
	defer func() { require.NoError(t, client.Close()) }()
	for i := range 100 {
		require.NoError(t, client.Set(t.Context(), fmt.Sprint("key-", i), i, 0).Err())
	}
	require.ElementsMatch(t, c.Nodes[:3], c.Masters())

	slot := c.Slot("key-1")
	killed := c.Master(slot)
	killed.AwaitCopies(1)
	killed.Kill()
	c.AwaitWhole()
	heir := c.Master(slot)
	require.NotSame(t, killed, heir)
	require.Contains(t, c.Nodes[3:], heir)
	require.Len(t, c.Masters(), 3)

	killed.Restart()
	c.AwaitWhole()
	require.NotContains(t, c.Masters(), killed, "it follows its heir now")
	for i := range 100 {
		got, err := client.Get(t.Context(), fmt.Sprint("key-", i)).Int()
		require.NoError(t, err)
		require.Equal(t, i, got)
	}
}
