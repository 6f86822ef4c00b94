package itest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proxy"
)

func TestACallWhoseServerRefusesConnectionsDoesNotRun(t *testing.T) {
	t.Parallel()
	eachNetwork(t, func(t *testing.T, n network) {
		f := n.distant(t)
		for _, s := range n.stories() {
			if s.stored || s.fails != nil {
				continue
			}
			f.proxy.Refuse()
			f.proxy.CutAll()
			o := f.tell(t.Context(), s, idem.Key(s.name))
			require.ErrorIs(t, o.err, idem.ErrUnavailable)
			require.Empty(t, o.runs)
			f.proxy.Admit()
			f.judge(t, s, o)
		}
	})
}

// The server is gone while fn runs, and comes back after the engine has tried twice in vain.
func TestAnAnswerOutlastsAServerThatIsAway(t *testing.T) {
	t.Parallel()
	eachNetwork(t, func(t *testing.T, n network) {
		base := n.distant(t)
		for _, s := range n.stories() {
			if s.stored {
				continue
			}
			var f *far
			var tries atomic.Int64
			f = base.another(t, idem.WithObserver(idem.ObserverFunc(func(_ context.Context, e idem.Event) {
				if e.Kind == idem.EventRetried && tries.Add(1) == 2 {
					f.proxy.Admit()
				}
			})))
			s.within = func(context.Context) {
				f.proxy.Refuse()
				f.proxy.CutAll()
			}
			o := f.tell(t.Context(), s, idem.Key(s.name))
			if s.guarantee == idem.Tx && tries.Load() < 2 {
				f.proxy.Admit() // what was rolled back is not tried again
			}
			code := f.judge(t, s, o)
			allowed := s.allowed(proxy.Request{})
			require.Contains(t, allowed, code, "%s: %v", s.name, o.err)
		}
	})
}

// fn goes on while its claim cannot be renewed, and is not told of it.
func TestAFaultAtARenewal(t *testing.T) {
	t.Parallel()
	s := story{name: "Rerun, renewed", guarantee: idem.Rerun, state: backend.Done}
	eachNetwork(t, func(t *testing.T, n network) {
		base := n.distant(t)
		var calls sync.WaitGroup
		var all []*far
		told := make([]telling, len(few))
		for i, fault := range few {
			f := base.another(t, idem.Lease(6*time.Second)) // so that a renewal is sent after two
			f.statements(t, s, idem.Key(fmt.Sprint("warm ", i)))
			s := s
			fault.Skip = 1 // the claim
			first := f.proxy.Inject(fault)
			second := f.proxy.Inject(proxy.Fault{Skip: 1, At: proxy.Answered, Do: proxy.Stall})
			s.within = func(context.Context) {
				<-first.Hit()
				<-second.Hit() // another renewal has arrived
				second.Release()
			}
			tally.network(fault)
			calls.Go(func() { told[i] = f.tell(t.Context(), s, idem.Key(nameOf(fault))) })
			all = append(all, f)
		}
		calls.Wait()
		for i, f := range all {
			require.NoError(t, told[i].err, "%s", told[i].key)
			require.Equal(t, 1, told[i].res.Attempt)
			told[i].over = time.Now() // there were others to wait for
			f.judge(t, s, told[i])
		}
	})
}
