package redisserver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSentinelsPromoteAReplicaOfAKilledMaster(t *testing.T) {
	t.Parallel()
	g := StartGroup(t)
	client := g.Client()
	defer func() { require.NoError(t, client.Close()) }()
	require.NoError(t, client.Set(t.Context(), "key", "value", 0).Err())
	g.Nodes[0].AwaitCopies(2)

	require.Same(t, g.Nodes[0], g.Master())
	g.Nodes[0].Kill()
	eventually(t, "there is another master", func() bool { m := g.Master(); return m != nil && m != g.Nodes[0] })
	g.Nodes[0].Restart()
	g.AwaitWhole()
	require.NotSame(t, g.Nodes[0], g.Master())
	got, err := client.Get(t.Context(), "key").Result()
	require.NoError(t, err)
	require.Equal(t, "value", got)
}
