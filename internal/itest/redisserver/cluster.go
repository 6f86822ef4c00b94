package redisserver

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots is how many slots a Cluster has.
const slots = 16384

// Cluster is a Redis Cluster of one test's own: three masters with a replica each.
type Cluster struct {
	t     testing.TB
	Nodes []*Server // the first three began as masters, node i+3 as the replica of node i
}

// StartCluster starts a Cluster that promotes a replica about a second after its master fell silent. The settings are
// added to those of every node. It returns once all slots are served and all replicas follow.
func StartCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range 6 {
		c.Nodes = append(c.Nodes, start(t, nil, append([]string{
			"cluster-enabled yes",
			"cluster-config-file nodes.conf",
			"cluster-node-timeout 1000",
			"cluster-replica-validity-factor 0", // a replica stands for election however long its master has been silent
			"repl-diskless-sync-delay 0",
		}, settings...)))
	}
	c.meet()
	for i, n := range c.Nodes[:3] {
		n.Do("cluster", "addslotsrange", i*slots/3, (i+1)*slots/3-1)
		c.Nodes[i+3].Do("cluster", "replicate", c.id(n))
	}
	c.AwaitWhole()
	return c
}

// meet has all nodes know each other.
func (c *Cluster) meet() {
	c.t.Helper()
	for i, n := range c.Nodes {
		n.Do("cluster", "set-config-epoch", i+1)
		if i > 0 {
			n.Do("cluster", "meet", "127.0.0.1", c.Nodes[0].port)
		}
	}
	for _, n := range c.Nodes {
		eventually(c.t, "all nodes know each other", func() bool {
			text, _ := n.try("cluster", "nodes")
			return strings.Count(fmt.Sprint(text), "connected") == len(c.Nodes) && !strings.Contains(fmt.Sprint(text), "handshake")
		})
	}
}

func (c *Cluster) id(n *Server) string {
	c.t.Helper()
	return fmt.Sprint(n.Do("cluster", "myid"))
}

// Addrs are the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Addr()
	}
	return addrs
}

// Client returns a new client of the Cluster. The caller closes it.
func (c *Cluster) Client() *redis.ClusterClient {
	return redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()})
}

// AwaitWhole waits until every node that is up sees every slot served, and every master that is up has all replicas that
// are up and its own, following.
func (c *Cluster) AwaitWhole() {
	c.t.Helper()
	eventually(c.t, "the Cluster is whole", func() bool {
		for _, n := range c.Nodes {
			if n.answers() && !(info(n, "cluster", "info")["cluster_state"] == "ok" && follows(n)) {
				return false
			}
		}
		return len(c.Masters()) == 3
	})
}

// follows reports whether a replica is in step with its master. A master is.
func follows(n *Server) bool {
	state := info(n, "info", "replication")
	return state["role"] == "master" || state["master_link_status"] == "up"
}

// Masters are the nodes that are up and say that they serve slots.
func (c *Cluster) Masters() (masters []*Server) {
	c.t.Helper()
	for _, n := range c.Nodes {
		if len(served(n)) > 0 {
			masters = append(masters, n)
		}
	}
	return masters
}

// Master is the node that serves a slot, by its own word. The test fails if there is none.
func (c *Cluster) Master(slot int) *Server {
	c.t.Helper()
	for _, n := range c.Nodes {
		if c.Serves(n)(slot) {
			return n
		}
	}
	c.t.Fatalf("nobody serves slot %d", slot)
	return nil
}

// Serves returns a condition for the slots that a node serves now, by its own word.
func (c *Cluster) Serves(n *Server) func(slot int) bool {
	ranges := served(n)
	return func(slot int) bool {
		for _, r := range ranges {
			if r.first <= slot && slot <= r.last {
				return true
			}
		}
		return false
	}
}

type slotRange struct{ first, last int }

// served are the slots that a node says it serves as a master. CLUSTER NODES has "myself,master" and, from the ninth
// field on, slots and ranges of slots, and in brackets those that are on their way.
func served(n *Server) (all []slotRange) {
	if !n.answers() {
		return nil
	}
	text, _ := n.try("cluster", "nodes")
	for line := range strings.Lines(fmt.Sprint(text)) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[2] != "myself,master" {
			continue
		}
		for _, f := range fields[8:] {
			first, last, isRange := strings.Cut(f, "-")
			if !isRange {
				last = first
			}
			from, err := strconv.Atoi(first)
			to, err2 := strconv.Atoi(last)
			if err == nil && err2 == nil {
				all = append(all, slotRange{from, to})
			}
		}
	}
	return all
}

// Slot is the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.t.Helper()
	slot, err := strconv.Atoi(fmt.Sprint(c.anyUp().Do("cluster", "keyslot", key)))
	if err != nil {
		c.t.Fatal(err)
	}
	return slot
}

func (c *Cluster) anyUp() *Server {
	c.t.Helper()
	for _, n := range c.Nodes {
		if n.answers() {
			return n
		}
	}
	c.t.Fatal("all nodes are down")
	return nil
}

// info is the answer to a command that answers lines of name:value. It is empty where there is no answer.
func info(n *Server, args ...any) map[string]string {
	text, _ := n.try(args...)
	values := map[string]string{}
	for line := range strings.Lines(fmt.Sprint(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values
}

// eventually waits until is is true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late.C:
			t.Fatal("it does not come that " + what)
		}
	}
}
