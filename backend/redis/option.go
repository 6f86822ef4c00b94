package redisbackend

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

// Option configures a Store, in New. A wrong one makes New fail with an error that names it.
type Option interface{ configure(*config) error }

type storeOption func(*config) error

func (o storeOption) configure(c *config) error { return o(c) }

// config is what a Store goes by. It does not change after New.
type config struct {
	prefix        string
	readable      bool
	acceptEvicted bool
	pipelining    bool
	replicas      replicas
}

// replicas is what MinReplicas asks for; zero for nothing.
type replicas struct {
	n       int
	timeout time.Duration
}

const defaultPrefix = "idem:"

// prefixPattern leaves out what a pattern of SCAN means something by, and the braces: between them stands what a Cluster
// picks the slot by, and all records would be on one node.
var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// Prefix is what the keys of the records begin with. The default is "idem:". Two stores with two prefixes share nothing. It
// has 1 to 64 letters, digits and _ . : / -
func Prefix(prefix string) Option {
	return storeOption(func(c *config) error {
		if !prefixPattern.MatchString(prefix) {
			return fmt.Errorf("redisbackend: option Prefix: %q does not have 1 to 64 letters, digits and _ . : / -", prefix)
		}
		c.prefix = prefix
		return nil
	})
}

// WithoutReadable leaves guard, user and key out of the records: a record is then known by its hash alone. ForgetUser,
// and List by guard or user, answer backend.ErrUnsupported.
func WithoutReadable() Option {
	return storeOption(func(c *config) error {
		c.readable = false
		return nil
	})
}

// Pipelining has calls share pipelines: what calls have to send while two sendings are under way waits for one of them,
// for 50 ms at most, and then goes to the server as one pipeline. No call's error, deadline or cancellation reaches another
// one. With many callers on one server, or a pool of fewer connections than callers, it saves processor time, connections
// and round trips; what it can cost is the wait, up to one more round trip, and a connection that has gone silent holds up
// all whose calls are in its pipeline. It is off by default, for the sake of few callers and of a pool as wide as there are
// callers, far from their server. With a Cluster or MinReplicas it changes nothing: calls are never pipelined there.
func Pipelining() Option {
	return storeOption(func(c *config) error {
		c.pipelining = true
		return nil
	})
}

// pipelined reports whether calls share pipelines. In a Cluster one would have commands for several servers, and be as slow
// as the slowest; WAIT counts what its own connection wrote, so its calls would wait for each other's replicas.
func (c *config) pipelined(client redis.UniversalClient) bool {
	_, one := client.(*redis.Client)
	return one && c.pipelining && c.replicas.n == 0
}

// AcceptEviction lets New open a store whose server evicts keys when its memory is full, or does not say whether it does.
// A record that is evicted is forgotten: the call that it stood for can run again, be it done or running now.
func AcceptEviction() Option {
	return storeOption(func(c *config) error {
		c.acceptEvicted = true
		return nil
	})
}

// MinReplicas has Begin and Complete wait, in the same round trip, until n replicas have acknowledged a claim or an
// answer, for timeout at most. If they do not, the call fails: a claim is released again, so that fn does not run, and an
// answer that could not be copied is reported as not stored, although the master has it. Each re-sent claim and answer
// is written, and so copied, once more.
//
// This is the command WAIT. By its documentation (https://redis.io/docs/latest/commands/wait/) it makes writes safer and
// does not make Redis strongly consistent: replicas acknowledge what they have in memory, not on disk, and a failover
// tries to promote the replica that is furthest but does not promise to, so an acknowledged write can still be lost.
// What it does promise: when the call succeeded, n replicas had the write, so as long as one of those is promoted, a
// crash of the master alone loses nothing. A replay waits for no replica: it tells what the master has. Renewals,
// releases and holds do not wait either; what a failover loses of them ends with the lease.
//
// n is at least 1, timeout at least 1 ms and shorter than the client's ReadTimeout. Where replicas are missing, every
// Begin takes as long as timeout, a replay too.
func MinReplicas(n int, timeout time.Duration) Option {
	return storeOption(func(c *config) error {
		if n < 1 || n > 100 || timeout < time.Millisecond {
			return fmt.Errorf("redisbackend: option MinReplicas: %d replicas within %v; it takes 1 to 100, and at least 1ms", n, timeout)
		}
		c.replicas = replicas{n: n, timeout: timeout}
		return nil
	})
}

func (c *config) key(id backend.ID) string {
	var room [128]byte // the longest prefix has 64
	return string(hex.AppendEncode(append(room[:0], c.prefix...), id[:]))
}

// id is the record that a key of the server stands for, if it is one of ours.
func (c *config) id(key string) (id backend.ID, ours bool) {
	digits, ours := strings.CutPrefix(key, c.prefix)
	if !ours || len(digits) != 2*len(id) || strings.ToLower(digits) != digits {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil
}

// channel is where scripts publish the ids of records that somebody waits for. The scripts make the same name.
func (c *config) channel() string { return c.prefix + "changed" }

// milliseconds rounds up: a lease is never shorter than what was asked for.
func milliseconds(d time.Duration) int64 {
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return int64(ms)
}
