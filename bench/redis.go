package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// redisSide is a Redis server: idem in it, and beside it what somebody writes by hand.
type redisSide struct {
	client *redis.Client
	store  *redisbackend.Store
	prefix string
	trips  func() int64
}

// openRedis takes keys under a prefix of its own on the server that url names.
func openRedis(ctx context.Context, url string, conns int) (*redisSide, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	w := &wire{}
	opts.Dialer = w.around((&net.Dialer{}).DialContext)
	opts.PoolSize, opts.MinIdleConns, opts.ContextTimeoutEnabled = conns, conns, true
	s := &redisSide{client: redis.NewClient(opts), prefix: freshName() + ":", trips: w.trips.Load}
	s.store, err = redisbackend.New(ctx, s.client, redisbackend.Prefix(s.prefix+"idem:"))
	return s, err
}

// close removes what was made, and ends the connections.
func (s *redisSide) close(ctx context.Context) error {
	var failed error
	all := s.client.Scan(ctx, 0, s.prefix+"*", 1000).Iterator()
	for all.Next(ctx) {
		failed = errors.Join(failed, s.client.Unlink(ctx, all.Val()).Err())
	}
	return errors.Join(failed, all.Err(), s.store.Close(), s.client.Close())
}

func (s *redisSide) key(kind string, c *backend.Claim) string {
	return s.prefix + kind + string(c.ID[:])
}

// bareFirst claims and stores, and nothing more.
func (s *redisSide) bareFirst(ctx context.Context, c *backend.Claim) error {
	key := s.key("bare:", c)
	if err := s.client.SetArgs(ctx, key, c.Token[:], redis.SetArgs{Mode: "NX", TTL: time.Minute}).Err(); err != nil {
		return err
	}
	return s.client.Set(ctx, key, answer, time.Hour).Err()
}

func (s *redisSide) bareReplay(ctx context.Context, c *backend.Claim) error {
	return s.client.Get(ctx, s.key("bare:", c)).Err()
}

// The cheapest correct protocol: one string a record, R or D, the token, the fingerprint, and then the answer.
var floorComplete = redis.NewScript(`if redis.call('GETRANGE', KEYS[1], 0, 16) ~= 'R' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

func (s *redisSide) floorClaim(ctx context.Context, c *backend.Claim) (string, error) {
	record := "R" + string(c.Token[:]) + string(c.Fingerprint[:])
	there, err := s.client.SetArgs(ctx, s.key("floor:", c), record, redis.SetArgs{Mode: "NX", Get: true, TTL: time.Minute}).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return there, err
}

func (s *redisSide) floorFirst(ctx context.Context, c *backend.Claim) error {
	there, err := s.floorClaim(ctx, c)
	if err == nil && there != "" {
		err = errors.New("not claimed")
	}
	if err != nil {
		return err
	}
	record := "D" + string(c.Token[:]) + string(c.Fingerprint[:]) + string(answer)
	done, err := floorComplete.Run(ctx, s.client, []string{s.key("floor:", c)}, c.Token[:], record, time.Hour.Milliseconds()).Int()
	if err == nil && done != 1 {
		err = errors.New("not completed")
	}
	return err
}

func (s *redisSide) floorReplay(ctx context.Context, c *backend.Claim) error {
	there, err := s.floorClaim(ctx, c)
	if err == nil && !strings.HasPrefix(there, "D") {
		err = fmt.Errorf("no answer: %.1s", there)
	}
	return err
}

// lockFirst is what people write with a lock: take it, look, store, give it back.
func (s *redisSide) lockFirst(ctx context.Context, locks *redislock.Client, c *backend.Claim) error {
	lock, err := locks.Obtain(ctx, s.key("lock:", c), time.Minute, nil)
	if err != nil {
		return err
	}
	if err := s.client.Get(ctx, s.key("locked:", c)).Err(); !errors.Is(err, redis.Nil) {
		return errors.Join(errors.New("an answer is there"), err)
	}
	if err := s.client.Set(ctx, s.key("locked:", c), answer, time.Hour).Err(); err != nil {
		return err
	}
	return lock.Release(ctx)
}

func (s *redisSide) lockReplay(ctx context.Context, locks *redislock.Client, c *backend.Claim) error {
	lock, err := locks.Obtain(ctx, s.key("lock:", c), time.Minute, &redislock.Options{RetryStrategy: redislock.LinearBackoff(time.Millisecond)})
	if err != nil {
		return err
	}
	if err := s.client.Get(ctx, s.key("locked:", c)).Err(); err != nil {
		return err
	}
	return lock.Release(ctx)
}

// contests are a first run and a replay.
func (s *redisSide) contests(ctx context.Context) ([]*contest, error) {
	g, err := idem.New("bench", s.store)
	if err != nil {
		return nil, err
	}
	locks := redislock.New(s.client)
	claims, keys := make([]*backend.Claim, replays), make([]idem.Key, replays)
	for i := range replays {
		c := fresh()
		claims[i], keys[i] = c, freshKey()
		err := errors.Join(s.bareFirst(ctx, c), s.floorFirst(ctx, c), s.lockFirst(ctx, locks, c), storeFirst(ctx, s.store, c))
		if err == nil {
			_, err = idem.Do(ctx, g, keys[i], "user-1234", payment{"account", 500}, pay)
		}
		if err != nil {
			return nil, err
		}
	}
	next, nextKey := turns(claims), turns(keys)
	return []*contest{
		{name: "Redis: first run", contestants: []contestant{
			{"SET NX PX + SET", func(ctx context.Context) error { return s.bareFirst(ctx, fresh()) }, s.trips},
			{"cheapest correct protocol", func(ctx context.Context) error { return s.floorFirst(ctx, fresh()) }, s.trips},
			{"lock, get, set by hand", func(ctx context.Context) error { return s.lockFirst(ctx, locks, fresh()) }, s.trips},
			{"idem's store", func(ctx context.Context) error { return storeFirst(ctx, s.store, fresh()) }, s.trips},
			{"idem.Do", func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, freshKey(), "user-1234", payment{"account", 500}, pay)
				return err
			}, s.trips},
		}},
		{name: "Redis: replay", contestants: []contestant{
			{"GET", func(ctx context.Context) error { return s.bareReplay(ctx, next()) }, s.trips},
			{"cheapest correct protocol", func(ctx context.Context) error { return s.floorReplay(ctx, again(next())) }, s.trips},
			{"lock, get by hand", func(ctx context.Context) error { return s.lockReplay(ctx, locks, next()) }, s.trips},
			{"idem's store", func(ctx context.Context) error { return storeReplay(ctx, s.store, again(next())) }, s.trips},
			{"idem.Do", func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, nextKey(), "user-1234", payment{"account", 500}, mustNotPay)
				return err
			}, s.trips},
		}},
	}, nil
}
