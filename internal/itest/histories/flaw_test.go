package histories

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// broken is a store in memory some of whose calls are broken.
type broken struct {
	*memtest.Store
	pause func() // lets others come first

	claims []backend.Claim // all that were asked for
	cache  map[backend.ID]cachedGrant
	flaw
}

type cachedGrant struct {
	backend.Grant
	request backend.Fingerprint
}

// flaw is one way to break the contract. A call that is nil is as it should be.
type flaw struct {
	name     string
	begin    func(*broken, context.Context, backend.Claim) (backend.Grant, error)
	renew    func(*broken, context.Context, backend.ID, backend.Token, backend.Renewal) (backend.Grant, error)
	complete func(*broken, context.Context, backend.ID, backend.Token, backend.Completion) (backend.Grant, error)
	release  func(*broken, context.Context, backend.ID, backend.Token) (backend.Grant, error)
	hold     func(*broken, context.Context, backend.ID, backend.Token, string) (backend.Grant, error)
	prune    func(*broken, context.Context) (backend.PruneStats, error)
	resolve  func(*broken, context.Context, backend.Ref, backend.Completion) (backend.Grant, error)
}

func (b *broken) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	b.claims = append(b.claims, c)
	if b.begin != nil {
		return b.begin(b, ctx, c)
	}
	return b.Store.Begin(ctx, c)
}

func (b *broken) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	if b.renew != nil {
		return b.renew(b, ctx, id, token, n)
	}
	return b.Store.Renew(ctx, id, token, n)
}

func (b *broken) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	if b.complete != nil {
		return b.complete(b, ctx, id, token, c)
	}
	return b.Store.Complete(ctx, id, token, c)
}

func (b *broken) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	if b.release != nil {
		return b.release(b, ctx, id, token)
	}
	return b.Store.Release(ctx, id, token)
}

func (b *broken) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	if b.hold != nil {
		return b.hold(b, ctx, id, token, note)
	}
	return b.Store.Hold(ctx, id, token, note)
}

func (b *broken) Prune(ctx context.Context) (backend.PruneStats, error) {
	if b.prune != nil {
		return b.prune(b, ctx)
	}
	return b.Store.Prune(ctx)
}

func (b *broken) Resolve(ctx context.Context, ref backend.Ref, c backend.Completion) (backend.Grant, error) {
	if b.resolve != nil {
		return b.resolve(b, ctx, ref, c)
	}
	return b.Store.Resolve(ctx, ref, c)
}

// see looks at a record, and at the claim that has it.
func (b *broken) see(ctx context.Context, id backend.ID) (backend.Record, backend.Claim) {
	r, _ := b.Lookup(ctx, id)
	at := slices.IndexFunc(b.claims, func(c backend.Claim) bool { return c.ID == id && r.Ref.Matches(c.Token) })
	if at < 0 {
		return r, backend.Claim{}
	}
	return r, b.claims[at]
}

// owner is the token that has a record now.
func (b *broken) owner(ctx context.Context, id backend.ID) backend.Token {
	_, c := b.see(ctx, id)
	return c.Token
}

// lapsed reports whether a record is a claim whose lease is over.
func (b *broken) lapsed(ctx context.Context, id backend.ID) bool {
	r, _ := b.see(ctx, id)
	return r.State == backend.Pending && r.LeaseLeft <= 0
}

// anew has a claim begin as if there were no record.
func (b *broken) anew(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	_, _ = b.Forget(ctx, c.ID)
	return b.Store.Begin(ctx, c)
}

var (
	kept = backend.Grant{Verdict: backend.Kept}
	lost = backend.Grant{Verdict: backend.Lost}
)

var flaws = []flaw{
	{
		name: "completes without looking at the token",
		complete: func(b *broken, ctx context.Context, id backend.ID, _ backend.Token, c backend.Completion) (backend.Grant, error) {
			return b.Store.Complete(ctx, id, b.owner(ctx, id), c)
		},
	},
	{
		name: "releases without looking at the token",
		release: func(b *broken, ctx context.Context, id backend.ID, _ backend.Token) (backend.Grant, error) {
			return b.Store.Release(ctx, id, b.owner(ctx, id))
		},
	},
	{
		name: "renews without looking at the token",
		renew: func(b *broken, ctx context.Context, id backend.ID, _ backend.Token, n backend.Renewal) (backend.Grant, error) {
			return b.Store.Renew(ctx, id, b.owner(ctx, id), n)
		},
	},
	{
		name: "holds without looking at the token",
		hold: func(b *broken, ctx context.Context, id backend.ID, _ backend.Token, note string) (backend.Grant, error) {
			return b.Store.Hold(ctx, id, b.owner(ctx, id), note)
		},
	},
	{
		name: "resolves whatever is unknown",
		resolve: func(b *broken, ctx context.Context, ref backend.Ref, c backend.Completion) (backend.Grant, error) {
			r, _ := b.see(ctx, ref.ID())
			return b.Store.Resolve(ctx, r.Ref, c)
		},
	},
	{
		name: "tells a stale owner his own answer",
		complete: func(b *broken, ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
			_, err := b.Store.Complete(ctx, id, token, c)
			return kept, err
		},
	},
	{
		name: "says Kept to a Complete that is sent again, whatever it says",
		complete: func(b *broken, ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
			g, err := b.Store.Complete(ctx, id, token, c)
			if g.Verdict == backend.Kept {
				return kept, err
			}
			return g, err
		},
	},
	{
		name: "takes a Complete once",
		complete: func(b *broken, ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
			if r, _ := b.see(ctx, id); r.State == backend.Done {
				return lost, nil
			}
			return b.Store.Complete(ctx, id, token, c)
		},
	},
	{
		name: "compares the lease at completion",
		complete: func(b *broken, ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
			if b.lapsed(ctx, id) {
				return lost, nil
			}
			return b.Store.Complete(ctx, id, token, c)
		},
	},
	{
		name: "loses answers that it has acknowledged",
		complete: func(b *broken, ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
			if b.owner(ctx, id) == token && !b.lapsed(ctx, id) && c.Answer[len(c.Answer)-1] == '3' {
				return kept, nil
			}
			return b.Store.Complete(ctx, id, token, c)
		},
	},
	{
		name: "takes over without looking at the fingerprint",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			if r, _ := b.see(ctx, c.ID); b.lapsed(ctx, c.ID) {
				c.Fingerprint = r.Fingerprint
			}
			return b.Store.Begin(ctx, c)
		},
	},
	{
		name: "takes a Begin that is sent again for another's",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			if r, owner := b.see(ctx, c.ID); r.State == backend.Pending && owner.Token == c.Token && owner.Fingerprint == c.Fingerprint {
				return backend.Grant{Verdict: backend.InFlight, LeaseLeft: r.LeaseLeft}, nil
			}
			return b.Store.Begin(ctx, c)
		},
	},
	{
		name: "keeps the old token at a takeover",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			r, owner := b.see(ctx, c.ID)
			if !b.lapsed(ctx, c.ID) || r.Hold || c.Hold || owner.Token == c.Token || owner.Fingerprint != c.Fingerprint {
				return b.Store.Begin(ctx, c)
			}
			_, err := b.Store.Renew(ctx, c.ID, owner.Token, backend.Renewal{Lease: c.Lease, Retention: c.Retention})
			return backend.Grant{Verdict: backend.Claimed, Attempt: r.Attempt + 1}, err
		},
	},
	{
		name: "runs a claim that holds again",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			if r, owner := b.see(ctx, c.ID); r.Hold && b.lapsed(ctx, c.ID) && owner.Fingerprint == c.Fingerprint && owner.Token != c.Token {
				return b.anew(ctx, c)
			}
			return b.Store.Begin(ctx, c)
		},
	},
	{
		name: "claims in two steps",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			if r, _ := b.see(ctx, c.ID); r.State != backend.Absent {
				return b.Store.Begin(ctx, c)
			}
			b.pause()
			return b.anew(ctx, c)
		},
	},
	{
		name: "replays the answer of an earlier life of the record",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			g, err := b.Store.Begin(ctx, c)
			if first, ok := b.cache[c.ID]; ok && g.Verdict == backend.Replay {
				g.Answer = first.Answer
			} else if g.Verdict == backend.Replay {
				b.cache[c.ID] = cachedGrant{g, c.Fingerprint}
			}
			return g, err
		},
	},
	{
		name: "replays from a cache that nobody empties",
		begin: func(b *broken, ctx context.Context, c backend.Claim) (backend.Grant, error) {
			if cached, ok := b.cache[c.ID]; ok && cached.request == c.Fingerprint {
				return cached.Grant, nil
			}
			g, err := b.Store.Begin(ctx, c)
			if g.Verdict == backend.Replay {
				b.cache[c.ID] = cachedGrant{g, c.Fingerprint}
			}
			return g, err
		},
	},
	{
		name: "prunes what is Unknown",
		prune: func(b *broken, ctx context.Context) (backend.PruneStats, error) {
			for _, c := range b.claims {
				if r, _ := b.see(ctx, c.ID); r.State == backend.Unknown {
					_, _ = b.Forget(ctx, c.ID)
				}
			}
			return b.Store.Prune(ctx)
		},
	},
	{
		name: "prunes what holds and is alive",
		prune: func(b *broken, ctx context.Context) (backend.PruneStats, error) {
			for _, c := range b.claims {
				if r, owner := b.see(ctx, c.ID); r.Hold {
					_, _ = b.Store.Hold(ctx, c.ID, owner.Token, "")
				}
			}
			return b.Store.Prune(ctx)
		},
	},
	{
		name: "does not renew a lapsed lease",
		renew: func(b *broken, ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
			if b.lapsed(ctx, id) {
				return lost, nil
			}
			return b.Store.Renew(ctx, id, token, n)
		},
	},
}

// withinHistories is how many histories it may take to find a flaw.
const withinHistories = 5_000

func TestABrokenStoreIsFoundOut(t *testing.T) {
	t.Parallel()
	for _, f := range flaws {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for i := range withinHistories {
				if playBroken(t, f, firstSeed+uint64(i)).check() != "" {
					t.Logf("found by history %d", i+1)
					tally.flaw()
					return
				}
			}
			require.FailNow(t, "no history is wrong", "the first seed is %d", firstSeed)
		})
	}
}

// What stands around a broken store breaks nothing by itself.
func TestABrokenStoreWithoutAFlawIsNot(t *testing.T) {
	t.Parallel()
	for i := range rounds(500) {
		require.Empty(t, playBroken(t, flaw{}, firstSeed+uint64(i)).check())
	}
}

func playBroken(t *testing.T, f flaw, seed uint64) *history {
	t.Helper()
	return playMemory(t, newPlan(seed, inMemory), func(mem *memtest.Store, pause func()) store {
		return &broken{Store: mem, pause: pause, flaw: f, cache: map[backend.ID]cachedGrant{}}
	})
}
