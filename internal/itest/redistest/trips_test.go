package redistest

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// counted is a store and the count of its round trips.
type counted struct {
	*testing.T
	*storage
	store *redisbackend.Store
}

// takes checks how many round trips f takes.
func (c *counted) takes(want int64, what string, f func()) {
	c.Helper()
	c.wire.trips.Store(0)
	f()
	require.Equal(c, want, c.wire.trips.Load(), what)
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			t.Parallel()
			s := startServer(t).storage()
			client := s.client(t, func(o *redis.Options) { o.PoolSize, o.PipelinePoolSize, o.Protocol = 1, -1, protocol })
			c := &counted{T: t, storage: s, store: s.openOn(t, client)}
			require.NoError(t, client.Ping(t.Context()).Err())
			c.transitions()
			c.operators()
		})
	}
}

func (c *counted) transitions() {
	t, s, ctx := c.T, c.store, c.Context()
	own, freed, held := claimOf("own"), claimOf("freed"), claimOf("held")
	hold, lapsed := holding(claimOf("hold")), claimOf("lapsed")
	c.takes(1, "a first claim", func() { begins(t, s, own, backend.Claimed) })
	c.takes(1, "the claim sent again", func() { begins(t, s, own, backend.Claimed) })
	c.takes(1, "in flight", func() { begins(t, s, again(own), backend.InFlight) })
	c.takes(1, "a mismatch in flight", func() { begins(t, s, otherRequest(own), backend.Mismatch) })
	c.takes(1, "a renewal", func() { answers(t, backend.Kept)(s.Renew(ctx, own.ID, own.Token, renewal(""))) })
	c.takes(1, "a renewal that is lost", func() { answers(t, backend.Lost)(s.Renew(ctx, own.ID, backend.NewToken(), renewal(""))) })
	c.takes(1, "a stale completion", func() { completes(t, s, again(own), "stale", backend.Lost) })
	c.takes(1, "a completion", func() { completes(t, s, own, "answer", backend.Kept) })
	c.takes(1, "a completion sent again", func() { completes(t, s, own, "answer", backend.Kept) })
	c.takes(1, "a completion told what is stored", func() { completes(t, s, again(own), "stale", backend.Replay) })
	c.takes(1, "a replay", func() { begins(t, s, again(own), backend.Replay) })
	c.takes(1, "a mismatch", func() { begins(t, s, otherRequest(own), backend.Mismatch) })
	large := claimOf("large")
	c.takes(2, "a first run with a large answer", func() {
		begins(t, s, large, backend.Claimed)
		completes(t, s, large, string(make([]byte, 64<<10)), backend.Kept)
	})
	begins(t, s, freed, backend.Claimed)
	c.takes(1, "a release", func() { answers(t, backend.Kept)(s.Release(ctx, freed.ID, freed.Token)) })
	c.takes(1, "a release that is lost", func() { answers(t, backend.Lost)(s.Release(ctx, freed.ID, freed.Token)) })
	begins(t, s, held, backend.Claimed)
	c.takes(1, "a hold", func() { answers(t, backend.Kept)(s.Hold(ctx, held.ID, held.Token, "note")) })
	c.takes(1, "a held record", func() { begins(t, s, again(held), backend.Held) })
	begins(t, s, hold, backend.Claimed)
	begins(t, s, lapsed, backend.Claimed)
	c.advance(t, lapsed.Lease)
	c.takes(1, "an abandoned claim", func() { begins(t, s, again(hold), backend.Held) })
	c.takes(1, "a takeover", func() { begins(t, s, again(lapsed), backend.Claimed) })
}

func (c *counted) operators() {
	t, s, ctx := c.T, c.store, c.Context()
	one, two, three := claimOf("one"), claimOf("two"), claimOf("three")
	for _, claim := range []backend.Claim{one, two, three} {
		begins(t, s, claim, backend.Claimed)
		answers(t, backend.Kept)(s.Hold(ctx, claim.ID, claim.Token, ""))
	}
	c.takes(1, "a look", func() {
		shown, err := s.Lookup(ctx, one.ID)
		require.NoError(t, err)
		require.Equal(t, backend.Unknown, shown.State)
	})
	c.takes(2, "a resolution: the token behind the reference is read first", func() {
		answers(t, backend.Kept)(s.Resolve(ctx, backend.NewRef(one.ID, one.Token), completion(one, "answer")))
	})
	c.takes(2, "freeing: the token behind the reference is read first", func() {
		answers(t, backend.Kept)(s.Free(ctx, backend.NewRef(two.ID, two.Token)))
	})
	c.takes(1, "forgetting", func() {
		there, err := s.Forget(ctx, three.ID)
		require.NoError(t, err)
		require.True(t, there)
	})
}
