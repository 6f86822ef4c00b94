package resources

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// heard is a store that tells a call when it is in flight for the first time: from then on it waits. The context of the
// call has the function to tell it with.
type heard struct{ backend.Store }

// heardNotifier is one that tells of the end of records too.
type heardNotifier struct {
	heard
	backend.Notifier
}

type inFlightKey struct{}

func hear(store backend.Store) backend.Store {
	if n, ok := store.(backend.Notifier); ok {
		return heardNotifier{heard{store}, n}
	}
	return heard{store}
}

func (h heard) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	grant, err := h.Store.Begin(ctx, c)
	if tell, ok := ctx.Value(inFlightKey{}).(func()); ok && err == nil && grant.Verdict == backend.InFlight {
		tell()
	}
	return grant, err
}

// crowd has so many calls wait, half of them for one call and the others, by twos, for calls of their own. Some wait for a
// moment only, and some leave.
type crowd struct {
	guard *idem.Guard
	name  string
	size  int

	goOn    chan struct{}  // closed when what they wait for may end
	asked   sync.WaitGroup // those who are in flight
	gone    sync.WaitGroup // those who did not wait for the end
	over    sync.WaitGroup
	entered chan struct{} // so many ask at once, since a store must answer in time
}

func newCrowd(store backend.Store, name string, size int) *crowd {
	guard := idem.Must(idem.New("crowd", hear(store), idem.Lease(time.Minute), idem.Retention(retention)))
	return &crowd{guard: guard, name: name, size: size, goOn: make(chan struct{}), entered: make(chan struct{}, 4*pool)}
}

// gather runs the crowd to its end.
func (c *crowd) gather(t *testing.T) {
	t.Helper()
	calls := c.calls()
	var began sync.WaitGroup
	began.Add(calls)
	for call := range calls {
		c.over.Go(func() {
			c.entered <- struct{}{}
			_, err := idem.Do(t.Context(), c.guard, c.key(call), owner, call, func(context.Context, int) (int, error) {
				<-c.entered
				began.Done()
				<-c.goOn
				return call, nil
			})
			c.judge(t, "the call", nil, err)
		})
	}
	began.Wait()
	for i := range c.size {
		c.entered <- struct{}{}
		call := 0
		if i%2 == 1 {
			call = 1 + i/4
		}
		c.join(t, i, call)
	}
	c.asked.Wait()
	c.gone.Wait()
	close(c.goOn)
	c.over.Wait()
	require.False(t, t.Failed())
	waiters.Add(int64(c.size))
}

// calls is how many calls there are to wait for.
func (c *crowd) calls() int { return 1 + c.size/4 }

func (c *crowd) key(call int) idem.Key { return idem.Key(fmt.Sprintf("%s %d", c.name, call)) }

// join has one more wait.
func (c *crowd) join(t *testing.T, i, call int) {
	ctx, leave := context.WithCancel(t.Context())
	wait, wanted, who := time.Minute, error(nil), &c.over
	then := func() {}
	switch i % 10 {
	case 3, 4:
		wait, wanted, who = time.Millisecond, idem.ErrInFlight, &c.gone
	case 7, 8:
		then, wanted, who = leave, context.Canceled, &c.gone
	}
	c.asked.Add(1)
	tell := sync.OnceFunc(func() { <-c.entered; c.asked.Done(); then() })
	who.Go(func() {
		defer leave()
		got, err := idem.Do(context.WithValue(ctx, inFlightKey{}, tell), c.guard, c.key(call), owner, call,
			func(context.Context, int) (int, error) { return -1, nil }, idem.Wait(wait))
		c.judge(t, "a waiter", wanted, err)
		if err == nil && got != call {
			t.Errorf("a waiter was told %d, not %d", got, call)
		}
		tell() // if it was never in flight, the test has failed by now
	})
}

func (c *crowd) judge(t *testing.T, who string, wanted, err error) {
	if err == nil && wanted == nil {
		return
	}
	if err := want(wanted, err); err != nil || wanted == nil {
		t.Errorf("%s: %v", who, err)
	}
}
