package redisserver

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Group is a master with two replicas, watched by three Sentinels of which two must agree.
type Group struct {
	t         testing.TB
	Name      string    // what the Sentinels call it
	Nodes     []*Server // the first began as the master
	Sentinels []*Server
}

// StartGroup starts a group whose Sentinels promote a replica some two seconds after the master fell silent: one that a
// busy machine holds up for a moment they leave alone. The settings are added to those of every node. It returns once the
// replicas follow and the Sentinels know them and each other.
func StartGroup(t testing.TB, settings ...string) *Group {
	t.Helper()
	g := &Group{t: t, Name: "records"}
	settings = append([]string{"repl-diskless-sync-delay 0"}, settings...)
	master := start(t, nil, settings)
	g.Nodes = append(g.Nodes, master)
	for range 2 {
		g.Nodes = append(g.Nodes, start(t, nil, append([]string{fmt.Sprint("replicaof 127.0.0.1 ", master.port)}, settings...)))
	}
	eventually(t, "the replicas follow", func() bool { return follows(g.Nodes[1]) && follows(g.Nodes[2]) })
	for range 3 {
		g.Sentinels = append(g.Sentinels, start(t, nil, []string{
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", g.Name, master.port),
			fmt.Sprintf("sentinel down-after-milliseconds %s 2000", g.Name),
			fmt.Sprintf("sentinel failover-timeout %s 10000", g.Name),
			fmt.Sprintf("sentinel parallel-syncs %s 2", g.Name),
		}, "--sentinel"))
	}
	g.hurry()
	g.AwaitWhole()
	return g
}

// hurry has the Sentinels look and talk more often than every ten seconds and every two, where they can be told so, which
// is from Redis 7.0 on.
func (g *Group) hurry() {
	for _, s := range g.Sentinels {
		_, _ = s.try("sentinel", "debug", "info-period", 200, "publish-period", 200)
	}
}

// Addrs are the addresses of the Sentinels.
func (g *Group) Addrs() []string {
	addrs := make([]string, len(g.Sentinels))
	for i, s := range g.Sentinels {
		addrs[i] = s.Addr()
	}
	return addrs
}

// Client returns a new client that asks the Sentinels for the master. The caller closes it.
func (g *Group) Client() *redis.Client {
	return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: g.Name, SentinelAddrs: g.Addrs()})
}

// AwaitWhole waits until the Sentinels agree on a master that is up and know all others, and the replicas that are up
// follow it.
func (g *Group) AwaitWhole() {
	g.t.Helper()
	eventually(g.t, "the group is whole", func() bool {
		master := g.Master()
		if master == nil || !master.answers() || info(master, "info", "replication")["role"] != "master" {
			return false
		}
		for _, n := range g.Nodes {
			if n.answers() && !(n == master || info(n, "info", "replication")["master_port"] == fmt.Sprint(master.port) && follows(n)) {
				return false
			}
		}
		for _, s := range g.Sentinels {
			if s.answers() && !g.knowsAll(s) {
				return false
			}
		}
		return true
	})
}

// knowsAll reports whether a Sentinel knows the replicas and the other Sentinels, and has the master for reachable.
func (g *Group) knowsAll(sentinel *Server) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr(), MaxRetries: -1, PoolSize: 1, ContextTimeoutEnabled: true})
	defer func() { _ = c.Close() }()
	state, err := c.Master(ctx, g.Name).Result()
	return err == nil && state["flags"] == "master" && state["num-slaves"] == "2" && state["num-other-sentinels"] == "2"
}

// Master is the node that all Sentinels that are up name as the master, nil while they do not agree.
func (g *Group) Master() *Server {
	named := ""
	for _, s := range g.Sentinels {
		if !s.answers() {
			continue
		}
		at, _ := s.try("sentinel", "get-master-addr-by-name", g.Name)
		pair, ok := at.([]any)
		if !ok || len(pair) != 2 {
			return nil
		}
		addr := net.JoinHostPort(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
		if named != "" && named != addr {
			return nil
		}
		named = addr
	}
	for _, n := range g.Nodes {
		if n.Addr() == named {
			return n
		}
	}
	return nil
}
