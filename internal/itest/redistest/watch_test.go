package redistest

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

func comes(changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	case <-time.After(patience):
		return false
	}
}

func watches(t *testing.T, s *redisbackend.Store, id backend.ID) (<-chan struct{}, func()) {
	t.Helper()
	changed, stop, err := s.Watch(t.Context(), id)
	require.NoError(t, err)
	t.Cleanup(stop)
	return changed, stop
}

// subscriptions is how many connections the server has that listen.
func (s *storage) subscriptions(t *testing.T) int64 {
	t.Helper()
	return s.own.PubSubNumSub(t.Context(), s.prefix+"changed").Val()[s.prefix+"changed"]
}

// listeners waits until the server has so many connections that listen.
func (s *storage) listeners(t *testing.T, want int64) {
	t.Helper()
	require.Eventually(t, func() bool { return s.subscriptions(t) == want }, patience, 10*time.Millisecond)
}

func TestEveryEndOfAWatchedRecordIsTold(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	watching, acting, ctx := s.open(t), s.open(t), t.Context()
	unknown := func(c backend.Claim) backend.Ref {
		answers(t, backend.Kept)(acting.Hold(ctx, c.ID, c.Token, ""))
		return backend.NewRef(c.ID, c.Token)
	}
	for name, end := range map[string]func(backend.Claim, func()){
		"complete": func(c backend.Claim, watch func()) {
			watch()
			completes(t, acting, c, "answer", backend.Kept)
		},
		"release": func(c backend.Claim, watch func()) {
			watch()
			answers(t, backend.Kept)(acting.Release(ctx, c.ID, c.Token))
		},
		"hold": func(c backend.Claim, watch func()) {
			watch()
			unknown(c)
		},
		"resolve": func(c backend.Claim, watch func()) {
			ref := unknown(c)
			watch()
			answers(t, backend.Kept)(acting.Resolve(ctx, ref, completion(c, "answer")))
		},
		"free": func(c backend.Claim, watch func()) {
			ref := unknown(c)
			watch()
			answers(t, backend.Kept)(acting.Free(ctx, ref))
		},
		"forget": func(c backend.Claim, watch func()) {
			watch()
			_, err := acting.Forget(ctx, c.ID)
			require.NoError(t, err)
		},
		"complete after a takeover": func(c backend.Claim, watch func()) {
			watch()
			s.advance(t, c.Lease)
			next := again(c)
			begins(t, acting, next, backend.Claimed)
			completes(t, acting, next, "answer", backend.Kept)
		},
		"abandon": func(c backend.Claim, watch func()) {
			watch()
			s.advance(t, c.Lease)
			begins(t, acting, holding(again(c)), backend.Held)
		},
	} {
		c := claimOf(name)
		begins(t, acting, c, backend.Claimed)
		var changed <-chan struct{}
		end(c, func() { changed, _ = watches(t, watching, c.ID) })
		require.True(t, comes(changed), name)
	}
	c := holding(claimOf("prune"))
	begins(t, acting, c, backend.Claimed)
	changed, _ := watches(t, watching, c.ID)
	s.advance(t, c.Lease)
	_, err := acting.Prune(ctx)
	require.NoError(t, err)
	require.True(t, comes(changed))
}

func TestOnlyWhatIsWaitedForIsPublished(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	heard := s.own.Subscribe(t.Context(), s.prefix+"changed")
	defer heard.Close()
	_, err := heard.Receive(t.Context())
	require.NoError(t, err)
	store := s.open(t)
	quiet, waited := claimOf("quiet"), claimOf("waited")
	begins(t, store, quiet, backend.Claimed)
	begins(t, store, waited, backend.Claimed)
	watches(t, store, waited.ID)
	completes(t, store, quiet, "answer", backend.Kept)
	completes(t, store, waited, "answer", backend.Kept)
	first, err := heard.ReceiveTimeout(t.Context(), patience)
	require.NoError(t, err)
	require.Equal(t, s.key(waited.ID), s.prefix+first.(*redis.Message).Payload)
}

// A record that is claimed anew is marked by those who wait on: each Begin of a store that watches it says so.
func TestABeginThatIsInFlightMarksTheRecordForItsWatch(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	watching, acting := s.open(t), s.open(t)
	first := claimOf("key")
	begins(t, acting, first, backend.Claimed)
	changed, _ := watches(t, watching, first.ID)
	answers(t, backend.Kept)(acting.Release(t.Context(), first.ID, first.Token))
	require.True(t, comes(changed))
	second := again(first)
	begins(t, acting, second, backend.Claimed)
	begins(t, watching, again(first), backend.InFlight)
	completes(t, acting, second, "answer", backend.Kept)
	require.True(t, comes(changed))
}

func TestAllWatchesShareOneSubscription(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store, acting := s.open(t), s.open(t)
	require.Zero(t, s.subscriptions(t), "it begins with the first watch")
	var claims []backend.Claim
	var all []<-chan struct{}
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		c := claimOf(key)
		begins(t, acting, c, backend.Claimed)
		for range 3 {
			changed, _ := watches(t, store, c.ID)
			all = append(all, changed)
		}
		claims = append(claims, c)
	}
	require.Equal(t, int64(1), s.subscriptions(t))
	for _, c := range claims {
		completes(t, acting, c, "answer", backend.Kept)
	}
	for _, changed := range all {
		require.True(t, comes(changed))
	}
	require.NoError(t, store.Close())
	s.listeners(t, 0)
	require.NoError(t, store.Close(), "it may be called more than once")
	again, _ := watches(t, store, claimOf("later").ID)
	require.Equal(t, int64(1), s.subscriptions(t))
	require.Empty(t, again)
}

func TestASubscriptionEndsAfterItsLastWatch(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store := s.open(t)
	_, stop := watches(t, store, claimOf("key").ID)
	_, stopOther := watches(t, store, claimOf("key").ID)
	stop()
	stop()
	stopOther()
	require.Equal(t, int64(1), s.subscriptions(t), "it lingers, for whoever comes next")
	s.listeners(t, 0)
}

// After a cut everybody is woken once, since what was published meanwhile is lost, and later wake-ups come again.
func TestACutOfTheSubscriptionWakesEverybody(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store, acting := s.open(t), s.open(t)
	one, two := claimOf("one"), claimOf("two")
	begins(t, acting, one, backend.Claimed)
	begins(t, acting, two, backend.Claimed)
	first, _ := watches(t, store, one.ID)
	second, _ := watches(t, store, two.ID)
	require.NoError(t, s.own.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err())
	require.True(t, comes(first))
	require.True(t, comes(second))
	s.listeners(t, 1)
	completes(t, acting, one, "answer", backend.Kept)
	require.True(t, comes(first))
	require.Empty(t, second)
}

// Nothing is said for long: the server is asked whether it is there, and the connection stays.
func TestAQuietSubscriptionAsksWhetherTheServerIsThere(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store, acting, c := s.open(t), s.open(t), claimOf("key")
	begins(t, acting, c, backend.Claimed)
	changed, _ := watches(t, store, c.ID)
	listening := func() string { return s.own.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").String() }
	connection := regexp.MustCompile(` id=\d+`).FindString(listening())
	require.Contains(t, listening(), "cmd=subscribe")
	require.Eventually(t, func() bool { return strings.Contains(listening(), "cmd=ping") }, patience, 50*time.Millisecond)
	require.Equal(t, connection, regexp.MustCompile(` id=\d+`).FindString(listening()))
	require.Empty(t, changed)
	completes(t, acting, c, "answer", backend.Kept)
	require.True(t, comes(changed))
}

// A server that does not answer any more, without an end of the connection, is given up; the next one is subscribed to.
func TestASubscriptionToASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	s := on.storage()
	changed, _ := watches(t, s.open(t), claimOf("key").ID)
	before := s.wire.dials.Load()
	on.signal(syscall.SIGSTOP)
	require.Eventually(t, func() bool { return s.wire.dials.Load() > before }, 3*patience, 50*time.Millisecond)
	on.signal(syscall.SIGCONT)
	require.True(t, comes(changed), "the confirmation of the new connection wakes everybody")
}

func TestASubscriptionComesBackAfterARestart(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	s := on.storage()
	store := s.open(t)
	changed, _ := watches(t, store, claimOf("key").ID)
	on.kill()
	on.start()
	require.True(t, comes(changed))
	s.listeners(t, 1)
}

// A waiter without a subscription polls: Watch says that there is none, soon, and leaves nothing behind.
func TestWithoutTheRightToSubscribeWatchFails(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store := s.openOn(t, as(t, s, "+@all resetchannels"))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	_, _, err := store.Watch(t.Context(), c.ID)
	require.Error(t, err)
	_, err = store.Lookup(t.Context(), c.ID)
	require.NoError(t, err)
	require.NoError(t, s.own.SetRange(t.Context(), s.key(c.ID), 73, "1").Err(), "as Watch marks it")
	completes(t, store, c, "answer", backend.Kept) // a message that may not be published stops nothing
}

func TestAClosedClientEndsTheSubscription(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	client := s.client(t)
	store := s.openOn(t, client)
	watches(t, store, claimOf("key").ID)
	require.NoError(t, client.Close())
	require.NoError(t, s.own.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err())
	s.listeners(t, 0)
	_, _, err := store.Watch(t.Context(), claimOf("key").ID)
	require.ErrorIs(t, err, redis.ErrClosed)
}

// Callers in two processes wait for a third one: all get its answer, and nobody runs.
func TestWaitersAcrossStoresGetTheAnswerWhenItIsStored(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	var guards []*idem.Guard
	for range 3 {
		g, err := idem.New("guard", s.open(t), idem.Wait(patience))
		require.NoError(t, err)
		guards = append(guards, g)
	}
	running, finish := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	do := func(g *idem.Guard, fn func(context.Context, int) (string, error)) {
		all.Go(func() {
			got, err := idem.Do(t.Context(), g, "key", "user", 5, fn)
			if err != nil || got != "paid" {
				t.Errorf("Do returned %q, %v", got, err)
			}
		})
	}
	do(guards[0], func(context.Context, int) (string, error) {
		close(running)
		<-finish
		return "paid", nil
	})
	<-running
	for i := range 20 {
		do(guards[1+i%2], func(context.Context, int) (string, error) {
			t.Error("it ran twice")
			return "", nil
		})
	}
	s.listeners(t, 2)
	close(finish)
	all.Wait()
}
