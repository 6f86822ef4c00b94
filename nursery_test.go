package idem

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

func (ns *nurseries) count() (count int) {
	for i := range ns {
		n := &ns[i]
		n.mu.Lock()
		count += len(n.leases[0]) + len(n.leases[1])
		n.mu.Unlock()
	}
	return count
}

func execOn(t *testing.T, store backend.Store, run func(context.Context) Answer, opts ...GuardOption) *Guard {
	t.Helper()
	g, err := New("test", store, opts...)
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // a run that waits in vain ends then
	defer stop()
	_, err = g.Exec(ctx, Call{Key: "k", User: "u", Codec: "test", Run: run})
	require.NoError(t, err)
	return g
}

func TestNothingIsInANurseryAfterACall(t *testing.T) {
	t.Parallel()
	var looked int
	g := execOn(t, new(memtest.Store), func(ctx context.Context) Answer {
		l := &runFrom(ctx).lease
		looked = l.r.g.nurseries.count()
		return Answer{}
	})
	require.LessOrEqual(t, looked, 1)
	require.Zero(t, g.nurseries.count())
}

func TestWhatLivesOnGetsItsTimerAndLosesItAfterTheCall(t *testing.T) {
	t.Parallel()
	var timer *time.Timer
	g := execOn(t, new(memtest.Store), func(ctx context.Context) Answer {
		r := runFrom(ctx)
		r.g.nurseries.of(r.claim.ID).look()
		r.g.nurseries.of(r.claim.ID).look()
		r.lease.mu.Lock()
		defer r.lease.mu.Unlock()
		timer = r.lease.timer
		return Answer{}
	})
	require.NotNil(t, timer)
	require.False(t, timer.Stop(), "the call has stopped it")
	require.Zero(t, g.nurseries.count())
}

// renewing tells of renewals.
type renewing struct {
	backend.Store
	renewed chan struct{}
}

func (s *renewing) Renew(ctx context.Context, id backend.ID, token backend.Token, r backend.Renewal) (backend.Grant, error) {
	defer close(s.renewed)
	return s.Store.Renew(ctx, id, token, r)
}

// TestARunOutsideOfABubbleIsRenewed: the other tests of renewals are in bubbles, where no lease is in a nursery.
func TestARunOutsideOfABubbleIsRenewed(t *testing.T) {
	t.Parallel()
	store := &renewing{new(memtest.Store), make(chan struct{})}
	execOn(t, store, func(ctx context.Context) Answer {
		select {
		case <-store.renewed:
		case <-ctx.Done():
			t.Error(context.Cause(ctx))
		}
		return Answer{}
	}, Lease(time.Second), MaxRun(5*time.Second))
}

func TestNoLeaseOfABubbleIsInANursery(t *testing.T) {
	t.Parallel()
	require.True(t, monotonic(time.Now()))
	synctest.Test(t, func(t *testing.T) {
		require.False(t, monotonic(time.Now()))
		execOn(t, new(memtest.Store), func(ctx context.Context) Answer {
			l := &runFrom(ctx).lease
			require.Zero(t, l.r.g.nurseries.count())
			require.NotNil(t, l.timer)
			return Answer{}
		})
	})
}

// TestANurseryKnowsWhereEachLeaseIs whatever comes, goes and is looked at.
func TestANurseryKnowsWhereEachLeaseIs(t *testing.T) {
	t.Parallel()
	var n nursery
	n.armed = true // no look but ours
	n.looks = time.AfterFunc(time.Hour, n.look)
	defer func() { n.looks.Stop() }()
	r := &run{asking: asking{s: &settings{lease: time.Hour, maxRun: time.Hour}, sent: time.Now()}}
	all := make([]lease, 64)
	inside := map[*lease]int{} // how many looks they have seen
	for range 5000 {
		l := &all[rand.N(len(all))]
		_, in := inside[l]
		switch {
		case rand.N(16) == 0:
			n.look()
			n.armed = true
			n.looks.Reset(time.Hour)
			for l, looks := range inside {
				if inside[l]++; looks == 1 {
					require.NotNil(t, l.timer)
					l.timer.Stop()
					delete(inside, l)
				}
			}
		case in:
			n.remove(l)
			n.remove(l)
			require.Nil(t, l.timer)
			delete(inside, l)
		default:
			*l = lease{r: r, until: time.Now().Add(time.Hour)}
			n.add(l)
			inside[l] = 0
		}
		require.Len(t, inside, len(n.leases[0])+len(n.leases[1]))
		for l := range inside {
			require.Same(t, l, n.leases[l.place.in-1][l.place.index])
		}
	}
}
