package redisbackend

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	quiet        = 10 * time.Second // without a message: then the server is asked whether it is there
	firstRetry   = 50 * time.Millisecond
	longestRetry = 2 * time.Second
)

// subscription is the goroutine that hears what scripts publish, over as many connections as it takes.
//
// It subscribes to one plain channel, not to a sharded one for each record: a sharded one is spoken to the node of its
// slot alone, so a process would need a connection to every master, and would lose it with every slot that moves. A plain
// message goes to all nodes of a Cluster, which is why scripts publish only what is waited for.
type subscription struct {
	cancel context.CancelFunc
	ready  chan struct{} // closed once the server has confirmed it for the first time
	over   chan struct{} // closed when the goroutine has ended
}

// subscribe starts a subscription. The caller holds the lock.
func (l *listener) subscribe() *subscription {
	ctx, cancel := context.WithCancel(context.Background()) // of the store: it outlives the call that begins it
	sub := &subscription{cancel: cancel, ready: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(sub.over)
		defer cancel()
		sub.run(ctx, l)
	}()
	return sub
}

// wait returns once the server has confirmed the subscription, or why it has not.
func (sub *subscription) wait(ctx context.Context) error {
	timer := time.NewTimer(subscribeWait)
	defer timer.Stop()
	select {
	case <-sub.ready:
		return nil
	case <-sub.over:
		return errNoSubscription
	case <-timer.C:
		return errNoSubscription
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run listens until ctx ends, again after each cut.
func (sub *subscription) run(ctx context.Context, l *listener) {
	defer l.ended(sub)
	pause := firstRetry
	for ctx.Err() == nil {
		heard, err := sub.listen(ctx, l)
		if errors.Is(err, redis.ErrClosed) {
			return
		}
		if heard {
			pause = firstRetry
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, longestRetry)
	}
}

// listen hears one connection to its end, and reports whether it was ever confirmed.
func (sub *subscription) listen(ctx context.Context, l *listener) (heard bool, err error) {
	pubsub := l.store.client.Subscribe(ctx, l.store.config.channel())
	defer pubsub.Close()
	leave := context.AfterFunc(ctx, func() { _ = pubsub.Close() }) // ends a read that waits
	defer leave()
	asked := false
	for {
		said, err := pubsub.ReceiveTimeout(ctx, quiet)
		var late net.Error
		switch {
		case err == nil:
			asked = false
		case asked || !errors.As(err, &late) || !late.Timeout():
			return heard, err
		default:
			asked = true
			if err := pubsub.Ping(ctx); err != nil {
				return heard, err
			}
		}
		switch said := said.(type) {
		case *redis.Subscription:
			sub.confirmed(l)
			heard = true
		case *redis.Message:
			if id, ours := l.store.config.id(l.store.config.prefix + said.Payload); ours {
				l.wake(id)
			}
		}
	}
}

// confirmed says that from now on nothing is missed. What was published before a second confirmation may have been.
func (sub *subscription) confirmed(l *listener) {
	select {
	case <-sub.ready:
		l.wakeAll()
	default:
		close(sub.ready)
	}
}
