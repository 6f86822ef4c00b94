package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// usable reports why a client must not stand behind a store, as far as it can be told without asking a server.
func usable(client redis.UniversalClient, c config) error {
	if isNil(client) {
		return errors.New("redisbackend: the client is nil")
	}
	var deadlines bool
	var read time.Duration
	switch on := client.(type) {
	case *redis.Client:
		deadlines, read = on.Options().ContextTimeoutEnabled, on.Options().ReadTimeout
	case *redis.ClusterClient:
		o := on.Options()
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("redisbackend: the client reads from replicas, which lag behind: leave out ReadOnly, RouteByLatency and RouteRandomly")
		}
		deadlines, read = o.ContextTimeoutEnabled, o.ReadTimeout
	case *redis.Ring:
		return errors.New("redisbackend: a *redis.Ring gives the keys of a shard that is down to another one, " +
			"where their records are not: use a *redis.ClusterClient, or one server")
	default:
		return fmt.Errorf("redisbackend: %T is neither a *redis.Client nor a *redis.ClusterClient", client)
	}
	if !deadlines {
		return errors.New("redisbackend: the client does not obey the deadlines of contexts: set ContextTimeoutEnabled in its options")
	}
	if read > 0 && c.replicas.timeout >= read {
		return fmt.Errorf("redisbackend: option MinReplicas: its timeout of %v is not shorter than the client's ReadTimeout of %v", c.replicas.timeout, read)
	}
	return nil
}

func isNil(client redis.UniversalClient) bool {
	v := reflect.ValueOf(client)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// masters returns a client for each server that takes writes.
func (s *Store) masters(ctx context.Context) ([]*redis.Client, error) {
	if one, ok := s.client.(*redis.Client); ok {
		return []*redis.Client{one}, nil
	}
	var mu sync.Mutex
	var all []*redis.Client
	err := s.client.(*redis.ClusterClient).ForEachMaster(ctx, func(_ context.Context, on *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, on)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = errors.New("the Cluster has no master")
	}
	return all, err
}
