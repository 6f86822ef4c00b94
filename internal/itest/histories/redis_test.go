package histories

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
	"github.com/idem-go/idem/internal/itest/proxy"
	"github.com/idem-go/idem/internal/itest/redisserver"
)

func TestHistoriesOnRedis(t *testing.T) {
	t.Parallel()
	server := os.Getenv("IDEM_TEST_REDIS")
	if server == "" {
		t.Skip("NOT TESTED: IDEM_TEST_REDIS names no server; ./test starts one")
	}
	o, err := redis.ParseURL(server)
	require.NoError(t, err)
	// After as many failures to dial as it may have connections, a pool does not try again for a second.
	o.ContextTimeoutEnabled, o.PoolSize, o.MaxRetries, o.DialerRetries = true, 1_000, -1, 1
	eachHistory(t, "Redis", 5_000, lanes, func(t *testing.T, i int, n *count) func(*plan) *history {
		return openLane(t, redisPlace(t, o, fmt.Sprintf("idem-histories-%d-%d:", os.Getpid(), i)), n).play
	}, onNetwork)
}

// redisPlace is a prefix for a lane.
func redisPlace(t *testing.T, o *redis.Options, prefix string) place {
	t.Helper()
	own := *o
	client := redis.NewClient(&own)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	keys := keys{client, prefix}
	return place{
		server: o.Addr, protocol: proxy.Redis, pass: keys.pass, remove: keys.remove,
		reach: func(t *testing.T, through string) store {
			there := *o
			there.Addr = through
			client := redis.NewClient(&there)
			s, err := redisbackend.New(t.Context(), client, redisbackend.Prefix(prefix))
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, s.Close())
				require.NoError(t, client.Close())
			})
			return s
		},
	}
}

// keys are those of records.
type keys struct {
	client *redis.Client
	prefix string
}

func (k keys) of(ids []backend.ID) (all []string) {
	for _, id := range ids {
		all = append(all, fmt.Sprintf("%s%x", k.prefix, id[:]))
	}
	return all
}

func (k keys) pass(ctx context.Context, ids []backend.ID, d time.Duration) error {
	var failed error
	for _, key := range k.of(ids) {
		failed = errors.Join(failed, redisserver.Shift(ctx, k.client, key, d))
	}
	return failed
}

func (k keys) remove(ctx context.Context, ids []backend.ID) error {
	return k.client.Del(ctx, k.of(ids)...).Err()
}
