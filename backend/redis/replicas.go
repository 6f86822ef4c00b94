package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

// hops is how often a command follows a Cluster that moves its slot.
const hops = 5

// replicated is run, and then waits for the replicas that MinReplicas asks for. The script and WAIT go to one server on
// one connection in one round trip: WAIT counts who has what was written before it on its own connection.
func (s *Store) replicated(ctx context.Context, sc script, id backend.ID, args []any) (reply, error) {
	if s.config.replicas.n == 0 {
		return s.run(ctx, sc, id, args)
	}
	if ctx.Err() != nil {
		return reply{}, context.Cause(ctx)
	}
	key := s.key(id)
	at, err := s.masterOf(ctx, key)
	if err != nil {
		return reply{}, err
	}
	var r reply
	whole := false
	for range hops {
		r, err = s.acknowledged(ctx, at, sc.command(ctx, whole, key, args))
		switch {
		case err == nil || errors.Is(err, errNotReplicated) || unreadable(err):
			return r, err
		case unknownScript(err):
			whole = true
		case redis.HasErrorPrefix(err, "MOVED"), redis.HasErrorPrefix(err, "ASK"), redis.HasErrorPrefix(err, "READONLY"):
			if at, err = s.redirected(ctx, key, err); err != nil {
				return reply{}, err
			}
		default:
			s.suspect(ctx)
			return reply{}, err
		}
	}
	return reply{}, err
}

// place is a server, and whether it takes a key that is still on its way there.
type place struct {
	on     *redis.Client
	asking bool
}

func (s *Store) acknowledged(ctx context.Context, at place, cmd *redis.Cmd) (reply, error) {
	acks := redis.NewIntCmd(ctx, "wait", s.config.replicas.n, milliseconds(s.config.replicas.timeout))
	_, err := at.on.Pipelined(ctx, func(p redis.Pipeliner) error {
		if at.asking {
			if err := p.Process(ctx, redis.NewStatusCmd(ctx, "asking")); err != nil {
				return err
			}
		}
		if err := p.Process(ctx, cmd); err != nil {
			return err
		}
		return p.Process(ctx, acks)
	})
	switch {
	case cmd.Err() != nil:
		return reply{}, cmd.Err()
	case err != nil:
		return reply{}, err
	}
	r, err := newReply(cmd.Val(), nil)
	if err == nil && r.wrote() && acks.Val() < int64(s.config.replicas.n) {
		return r, fmt.Errorf("%w: %d of %d", errNotReplicated, acks.Val(), s.config.replicas.n)
	}
	return r, err
}

// wrote reports whether Begin or Complete has a claim or an answer of the caller's own to tell.
func (r reply) wrote() bool {
	word, _ := r.text(0)
	return r.number > 0 || word == "kept"
}

func (s *Store) masterOf(ctx context.Context, key string) (place, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return place{on: s.client.(*redis.Client)}, nil
	}
	on, err := cluster.MasterForKey(ctx, key)
	return place{on: on}, err
}

// redirected is where a Cluster says that the key is, or is going to be, or after a failover the key's new master.
func (s *Store) redirected(ctx context.Context, key string, said error) (place, error) {
	all, err := s.masters(ctx) // which reads the state of the Cluster anew
	if err != nil {
		return place{}, err
	}
	words := strings.Fields(said.Error())
	asking := words[0] == "ASK"
	for _, on := range all {
		if words[0] != "READONLY" && on.Options().Addr == words[len(words)-1] {
			return place{on: on, asking: asking}, nil
		}
	}
	if asking {
		return place{}, said
	}
	return s.masterOf(ctx, key)
}

// suspect has the client look at the Cluster again: a master that does not answer may have been replaced.
func (s *Store) suspect(ctx context.Context) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}

// withdraw releases a claim that too few replicas have, so that it blocks nobody. What slips through ends with its lease.
func (s *Store) withdraw(ctx context.Context, c backend.Claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = s.run(ctx, s.scripts.remove, c.ID, append(blank(1), claimOf(pending, c.Token))) // Begin's own error is what counts
}
