package itest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/backend/redis"
)

var redisSystem = system{
	name:  "redis",
	fresh: freshRedis,
	open:  openRedis,
	hasty: func(at string, _ time.Duration) string { return at }, // there are no transactions to wait for
	watch: watchRedis,
}

// freshRedis makes a prefix on the server that IDEM_TEST_REDIS names, and removes its keys when the test ends.
func freshRedis(t *testing.T) string {
	t.Helper()
	server := os.Getenv("IDEM_TEST_REDIS")
	if server == "" {
		t.Skip("IDEM_TEST_REDIS names no server; ./test starts one")
	}
	return freshOnRedis(t, server)
}

// freshOnRedis is freshRedis on another server.
func freshOnRedis(t *testing.T, server string) string {
	t.Helper()
	at, err := url.Parse(server)
	require.NoError(t, err)
	query := at.Query()
	query.Set("prefix", freshName()+":")
	at.RawQuery = query.Encode()
	t.Cleanup(func() {
		client, prefix, err := besideRedis(at.String())
		require.NoError(t, err)
		for _, key := range redisKeys(t, client, prefix) {
			require.NoError(t, client.Del(context.Background(), key).Err())
		}
		require.NoError(t, client.Close())
	})
	return at.String()
}

// besideRedis opens the server past idem. The keys of a storage begin with prefix, without its colon.
func besideRedis(at string) (client *redis.Client, prefix string, err error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, "", err
	}
	query := u.Query()
	prefix = strings.TrimSuffix(query.Get("prefix"), ":")
	query.Del("prefix")
	u.RawQuery = query.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, "", err
	}
	o.MaxRetries = -1 // an effect that is sent twice would be two
	return redis.NewClient(o), prefix, nil
}

func redisKeys(t *testing.T, client *redis.Client, prefix string) (keys []string) {
	t.Helper()
	for all := client.Scan(context.Background(), 0, prefix+"*", 1000).Iterator(); ; {
		if !all.Next(context.Background()) {
			require.NoError(t, all.Err())
			slices.Sort(keys)
			return slices.Compact(keys)
		}
		keys = append(keys, all.Val())
	}
}

// watchRedis looks at every key of the storage, its value and its expiry.
func watchRedis(t *testing.T, at string) func() string {
	t.Helper()
	client, prefix, err := besideRedis(at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return func() (seen string) {
		for _, key := range redisKeys(t, client, prefix) {
			value, err := client.Dump(t.Context(), key).Result()
			require.NoError(t, err)
			expires, err := client.PExpireTime(t.Context(), key).Result()
			require.NoError(t, err)
			seen += fmt.Sprintf("%s %v %x\n", key, expires, value)
		}
		return seen
	}
}

func openRedis(ctx context.Context, at string) (*site, error) {
	h, err := backend.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	client, prefix, err := besideRedis(at)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &site{
		store:   h.Store,
		staged:  staged{h.Store},
		effects: redisEffects{on: client, list: prefix + ".effects"},
		prepare: func(context.Context) error { return nil },
		close:   func() error { return errors.Join(h.Close(), client.Close()) },
	}, nil
}

// redisEffects are the entries of a list.
type redisEffects struct {
	on   *redis.Client
	list string
}

func (e redisEffects) add(ctx context.Context, key, run string) error {
	return e.on.RPush(ctx, e.list, key+"\n"+run).Err()
}

func (e redisEffects) of(ctx context.Context, key string) (runs []string, err error) {
	all, err := e.on.LRange(ctx, e.list, 0, -1).Result()
	for _, entry := range all {
		if whose, run, _ := strings.Cut(entry, "\n"); whose == key {
			runs = append(runs, run)
		}
	}
	return runs, err
}

func (e redisEffects) all(ctx context.Context) (map[string][]string, error) {
	entries, err := e.on.LRange(ctx, e.list, 0, -1).Result()
	had := map[string][]string{}
	for _, entry := range entries {
		key, run, _ := strings.Cut(entry, "\n")
		had[key] = append(had[key], run)
	}
	return had, err
}

func (e redisEffects) count(ctx context.Context) (int, error) {
	n, err := e.on.LLen(ctx, e.list).Result()
	return int(n), err
}
