package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// startRedis starts a proxy in front of the server that IDEM_TEST_REDIS names, and returns a client with one connection
// through it that sends nothing twice, and one past it.
func startRedis(t *testing.T, protocol int) (p *Proxy, through, direct *redis.Client) {
	t.Helper()
	server := os.Getenv("IDEM_TEST_REDIS")
	if server == "" {
		t.Skip("IDEM_TEST_REDIS names no server; ./test starts one")
	}
	at, err := url.Parse(server)
	require.NoError(t, err)
	p = Start(t, at.Host, Redis)
	o, err := redis.ParseURL(server)
	require.NoError(t, err)
	o.Protocol, o.PoolSize, o.MaxRetries = protocol, 1, -1
	direct = redis.NewClient(o)
	beside := *o
	beside.Addr = p.Addr()
	through = redis.NewClient(&beside)
	t.Cleanup(func() {
		require.NoError(t, through.Close())
		require.NoError(t, direct.Close())
	})
	return p, through, direct
}

func eachRESP(t *testing.T, f func(t *testing.T, protocol int)) {
	t.Helper()
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
			t.Parallel()
			f(t, protocol)
		})
	}
}

func TestRedisRequests(t *testing.T) {
	t.Parallel()
	eachRESP(t, func(t *testing.T, protocol int) {
		p, c, _ := startRedis(t, protocol)
		watch := p.Inject(Fault{})
		key := fmt.Sprint("proxy:requests:", protocol)
		ctx := t.Context()
		require.NoError(t, c.HSet(ctx, key, "a", "1", "b", strings.Repeat("x\r\n", 100_000)).Err())
		all, err := c.HGetAll(ctx, key).Result()
		require.NoError(t, err)
		require.Len(t, all["b"], 300_000)
		require.ErrorIs(t, c.Get(ctx, key+":none").Err(), redis.Nil)
		require.Error(t, c.Incr(ctx, key).Err(), "of a wrong type")
		_, err = c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.HGet(ctx, key, "a")
			pipe.Eval(ctx, "return {1, {2, 'x'}, redis.call('hgetall', KEYS[1])}", []string{key})
			pipe.Del(ctx, key)
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, c.Ping(ctx).Err())

		sub := c.Subscribe(ctx, key)
		_, err = sub.Receive(ctx)
		require.NoError(t, err)
		require.NoError(t, c.Publish(ctx, key, "hello").Err())
		message, err := sub.ReceiveMessage(ctx)
		require.NoError(t, err)
		require.Equal(t, "hello", message.Payload)
		require.NoError(t, sub.Close())

		var names []string
		for _, r := range watch.Requests() {
			name, _, _ := strings.Cut(r.Text, " ")
			names = append(names, name)
		}
		require.Equal(t, []string{"hset", "hgetall", "get", "incr", "hget", "eval", "del", "subscribe", "publish"}, names)
	})
}

func TestRedisIsCutWhereItWasPlanned(t *testing.T) {
	t.Parallel()
	eachRESP(t, func(t *testing.T, protocol int) {
		p, c, direct := startRedis(t, protocol)
		key := fmt.Sprint("proxy:cut:", protocol)
		ctx := t.Context()
		require.NoError(t, direct.Del(ctx, key).Err())
		defer func() { require.NoError(t, direct.Del(ctx, key).Err()) }()
		count := func() int64 {
			n, err := direct.LLen(ctx, key).Result()
			require.NoError(t, err)
			return n
		}
		for i, f := range []struct {
			fault Fault
			added int64
		}{
			{Fault{At: Asking, Do: Cut}, 0},
			{Fault{At: Asking, Do: Cut, Bytes: 7}, 0},
			{Fault{At: Asking, Do: Reset}, 0},
			{Fault{At: Answered, Do: Cut}, 1},
			{Fault{At: Answered, Do: Reset}, 1},
			{Fault{At: Answered, Do: HalfClose}, 1},
			{Fault{At: Answered, Do: Cut, Bytes: 2}, 1},
		} {
			before := count()
			fault := p.Inject(f.fault)
			require.Error(t, c.RPush(ctx, key, i).Err(), "%+v", f.fault)
			<-fault.Hit()
			require.Equal(t, before+f.added, count(), "%+v", f.fault)
		}
		// The second of a pipeline is lost, the first is not.
		before := count()
		fault := p.Inject(Fault{At: Answered, Do: Cut, Skip: 1})
		raw, err := net.Dial("tcp", p.Addr())
		require.NoError(t, err)
		defer raw.Close()
		_, err = io.WriteString(raw, strings.Repeat(fmt.Sprintf("*3\r\n$5\r\nRPUSH\r\n$%d\r\n%s\r\n$1\r\nx\r\n", len(key), key), 2))
		require.NoError(t, err)
		heard, err := io.ReadAll(raw)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(":%d\r\n", before+1), string(heard))
		<-fault.Hit()
		require.Equal(t, before+2, count())
		require.NoError(t, c.RPush(ctx, key, "last").Err())
	})
}

func TestAPushAnswersNothing(t *testing.T) {
	t.Parallel()
	from := bufio.NewReader(strings.NewReader(">2\r\n+invalidate\r\n*0\r\n:1\r\n"))
	w, r := Redis.wire(), &Request{}
	_, _, stray, err := w.answer(from, r)
	require.NoError(t, err)
	require.True(t, stray)
	_, last, stray, err := w.answer(from, r)
	require.NoError(t, err)
	require.True(t, last)
	require.False(t, stray)
}

func TestRESPIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"+OK\r\n", "-ERR no\r\n", ":12\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "*-1\r\n", "*0\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
		"_\r\n", "#t\r\n", ",1.5\r\n", "(123\r\n", "!3\r\nERR\r\n", "=5\r\ntxt:x\r\n", "%1\r\n+a\r\n:1\r\n", "~1\r\n:1\r\n", ">2\r\n+a\r\n+b\r\n",
		"|1\r\n+a\r\n:1\r\n*1\r\n:2\r\n",
	} {
		raw, _, err := readRESP(bufio.NewReader(strings.NewReader(value+"+next\r\n")), nil)
		require.NoError(t, err, "%q", value)
		require.Equal(t, value, string(raw))
		for cut := range len(value) {
			raw, _, err := readRESP(bufio.NewReader(strings.NewReader(value[:cut])), nil)
			require.Error(t, err, "%q", value[:cut])
			require.Equal(t, value[:cut], string(raw))
		}
	}
	for _, value := range []string{"\n", "*x\r\n", "$\r\n", "+\n"} {
		_, _, err := readRESP(bufio.NewReader(strings.NewReader(value)), nil)
		require.Error(t, err, "%q", value)
	}
}
