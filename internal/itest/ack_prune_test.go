package itest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proxy"
	"github.com/idem-go/idem/internal/itest/redisserver"
)

// A round of pruning whose last word did not come has removed what was due and nothing else, and the next one goes on.
func TestALostAcknowledgementOfPruningRemovesNothingElse(t *testing.T) {
	t.Parallel()
	eachAckLoser(t, func(t *testing.T, name string, _ bool, open func(*testing.T) ackLoser) {
		if name == "redis" {
			open = openLonelyRedis
		}
		l := open(t)
		f := l.distance()
		g := f.guards[idem.Hold]
		first := newDue(t, f, "nothing fails")
		_, err := g.Prune(t.Context())
		require.NoError(t, err)
		first.requireSwept(t, f)
		first.forget(t, f)
		live := call{guarantee: idem.Rerun, key: "live"}
		stays, err := f.witness.do(t.Context(), live)
		require.NoError(t, err)
		for _, round := range rounds(0, acksEach) {
			due := newDue(t, f, fmt.Sprint("round ", round))
			lost := l.lose(opPrune)
			_, err := g.Prune(t.Context())
			require.Equal(t, 1, lost(), "nothing was swept")
			if err != nil { // or the driver has sent it again
				require.ErrorIs(t, err, idem.ErrUnavailable)
			}
			tally.on(name).lost(opPrune)
			due.requireSwept(t, f)
			again, err := g.Prune(t.Context())
			require.NoError(t, err)
			require.Zero(t, again.Held, "what was swept is swept again")
			f.witness.requireReplay(t, live, stays.Value)
			due.forget(t, f)
		}
	})
}

// openLonelyRedis is a server of the test's own: a round of pruning reads every key there is.
func openLonelyRedis(t *testing.T) ackLoser {
	n, at := networks[len(networks)-1], redisserver.Start(t).URL()+"?prefix=acks:"
	n.fresh = func(*testing.T) string { return at }
	return &networkLoser{far: n.distant(t)}
}

// sweep is the request whose answer says that what a round of pruning changed has taken effect.
func (n network) sweep(f proxy.Fault) proxy.Fault {
	switch n.protocol {
	case proxy.MySQL:
		f.On = isCommit
	case proxy.Redis: // a script for each of the two records that there are, in one pipeline
		f.Skip, f.On = 1, func(r proxy.Request) bool {
			return r.Kind == proxy.Statement && strings.HasPrefix(strings.ToUpper(r.Text), "EVALSHA")
		}
	default:
		f.On = proxy.Containing("SET state = 3")
	}
	return f
}

// due is a claim that was abandoned under Hold.
type due struct {
	key   idem.Key
	id    backend.ID
	token backend.Token
}

// newDue makes a claim whose lease is over.
func newDue(t *testing.T, f *far, key string) due {
	t.Helper()
	d := due{key: idem.Key(key), id: backend.NewID("itest", string(owner), key), token: backend.NewToken()}
	store := f.witness.site.store
	g, err := store.Begin(t.Context(), backend.Claim{
		ID: d.id, Token: d.token, Lease: time.Millisecond, Retention: time.Hour, Hold: true, Guard: "itest", User: string(owner), Key: key,
	})
	require.NoError(t, err)
	require.Equal(t, backend.Claimed, g.Verdict)
	require.Eventually(t, func() bool {
		rec, err := f.witness.guards[idem.Hold].Lookup(t.Context(), idem.Key(key), owner)
		return err == nil && rec.LeaseLeft < 0
	}, patience, time.Millisecond)
	return d
}

// requireSwept: the claim became unknown, and its owner is told that it is lost.
func (d due) requireSwept(t *testing.T, f *far) {
	t.Helper()
	in := f.witness.site.store.(backend.Inspector)
	rec, err := in.Lookup(t.Context(), d.id)
	require.NoError(t, err)
	require.Equal(t, backend.Unknown, rec.State)
}

func (d due) forget(t *testing.T, f *far) {
	t.Helper()
	require.NoError(t, f.witness.guards[idem.Hold].Forget(t.Context(), d.key, owner))
}
