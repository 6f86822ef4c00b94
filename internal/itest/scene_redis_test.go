package itest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// redisScenes are what a Redis server and go-redis have to say.
var redisScenes = []scene{
	{"a Redis answer and its replay", idem.CodeNone, func(a *actor) error {
		g := a.redis().guard()
		require.NoError(a, a.do(g, succeeds))
		return a.do(g, succeeds)
	}},
	{"a Redis mismatch", idem.CodeMismatch, func(a *actor) error {
		g := a.redis().guard()
		require.NoError(a, a.do(g, succeeds, idem.Operation("other")))
		return a.do(g, succeeds)
	}},
	{"a Redis duplicate that waits", idem.CodeInFlight, func(a *actor) (err error) {
		g := a.redis().guard()
		require.NoError(a, a.do(g, func(context.Context, charge) (receipt, error) {
			err = a.do(g, succeeds, idem.Wait(50*time.Millisecond))
			return answered, nil
		}))
		return err
	}},
	{"a Redis outcome that is unknown", idem.CodeUnknownOutcome, func(a *actor) error {
		f := a.redis()
		g := f.guard(idem.Hold)
		require.ErrorIs(a, a.do(g, fails), errFn)
		a.everything(g)
		return a.do(g, succeeds)
	}},
	{"a Redis key of another type", idem.CodeCorrupt, afterOnRedis(func(f *redisScenery, key string) error {
		return errors.Join(f.client.Del(f.Context(), key).Err(), f.client.RPush(f.Context(), key, markAnswer).Err())
	})},
	{"a Redis record that is cut short", idem.CodeCorrupt, afterOnRedis(func(f *redisScenery, key string) error {
		return f.rewrite(key, func(record string) string { return record[:recordHead-1] })
	})},
	{"a Redis record of an unknown state", idem.CodeCorrupt, afterOnRedis(func(f *redisScenery, key string) error {
		return f.client.SetRange(f.Context(), key, int64(len("idem1")), markBody).Err()
	})},
	{"a Redis answer that is cut short", idem.CodeCorrupt, afterOnRedis(func(f *redisScenery, key string) error {
		return f.change(key, func(answer []byte) []byte { return answer[:len(answer)-1] })
	})},
	{"a Redis answer of a later version", idem.CodeVersion, afterOnRedis(func(f *redisScenery, key string) error {
		return f.change(key, laterVersion)
	})},
	{"a Redis client that is closed", idem.CodeUnavailable, func(a *actor) error {
		f := a.redis()
		g := f.guard()
		require.NoError(a, a.do(g, succeeds))
		require.NoError(a, f.close())
		a.everything(g)
		return a.do(g, succeeds)
	}},
	{"a Redis password that is refused", idem.CodeOther, func(a *actor) error {
		at := a.redisServer()
		at.User = url.UserPassword(markUser, markPassword)
		_, err := backend.Open(a.Context(), at.String())
		return err
	}},
	{"a URL of Redis with a bad port", idem.CodeOther, opening("redis://user:" + markPassword + "@127.0.0.1:port/0")},
	{"a URL of Redis where nobody listens", idem.CodeOther, opening("redis://user:" + markPassword + "@127.0.0.1:1/0")},
	{"a URL of Redis with a wrong parameter", idem.CodeOther, opening("redis://user:" + markPassword + "@127.0.0.1:1/0?readable=" + markPassword)},
	{"a URL of Redis with a parameter that nobody knows", idem.CodeOther, opening("redis://user:" + markPassword + "@127.0.0.1:1/0?" + markPassword + "=1")},
}

// redisScenery is an actor with a place on a Redis server.
type redisScenery struct {
	*actor
	store  *tappedRedis
	client *redis.Client
	prefix string
	close  func() error
}

func (a *actor) redisServer() *url.URL {
	a.Helper()
	server := os.Getenv("IDEM_TEST_REDIS")
	if server == "" {
		a.Skip("IDEM_TEST_REDIS names no server; ./test starts one")
	}
	at, err := url.Parse(server)
	require.NoError(a, err)
	return at
}

func (a *actor) redis() *redisScenery {
	a.Helper()
	at := freshRedis(a.T)
	h, err := backend.Open(a.Context(), at)
	require.NoError(a, err)
	a.Cleanup(func() { _ = h.Close() })
	client, prefix, err := besideRedis(at)
	require.NoError(a, err)
	a.Cleanup(func() { require.NoError(a, client.Close()) })
	return &redisScenery{actor: a, store: &tappedRedis{h.Store.(*redisbackend.Store), a.canary}, client: client, prefix: prefix, close: h.Close}
}

func (f *redisScenery) guard(opts ...idem.GuardOption) *idem.Guard {
	return f.actor.guard(f.store, opts...)
}

// afterOnRedis changes the record that has the answer of the marked call, asks an operator's questions and calls again.
func afterOnRedis(change func(f *redisScenery, key string) error) func(*actor) error {
	return func(a *actor) error {
		f := a.redis()
		g := f.guard()
		require.NoError(a, a.do(g, succeeds))
		all := redisKeys(a.T, f.client, f.prefix)
		require.Len(a, all, 1)
		require.NoError(a, change(f, all[0]))
		a.everything(g)
		return a.do(g, succeeds)
	}
}

// recordHead is how long the head of a record is; the last 9 bytes are the size of all that stands before the answer.
const recordHead = 162

// rewrite rewrites a record.
func (f *redisScenery) rewrite(key string, how func(record string) string) error {
	record, err := f.client.Get(f.Context(), key).Result()
	if err != nil {
		return fmt.Errorf("no record is stored: %w", err)
	}
	return f.client.Set(f.Context(), key, how(record), redis.KeepTTL).Err()
}

// change rewrites the stored answer.
func (f *redisScenery) change(key string, how func([]byte) []byte) error {
	return f.rewrite(key, func(record string) string {
		size, err := strconv.Atoi(record[recordHead-9 : recordHead])
		require.NoError(f, err)
		return record[:size] + string(how([]byte(record[size:])))
	})
}

type tappedRedis struct {
	*redisbackend.Store
	canary *canary
}

func (s *tappedRedis) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	s.canary.claimed(c)
	return s.Store.Begin(ctx, c)
}
