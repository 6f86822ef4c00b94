package itest

import (
	"context"
	"sync"

	"github.com/idem-go/idem/backend"
)

// point names a place in a call at which it can be stopped, and its process killed.
type point string

// The points, in the order in which a call comes by. In a transaction the claim and the answer are not committed before
// beforeCommit is passed.
const (
	afterClaim     point = "after the claim"
	beforeEffect   point = "before the effect"
	afterEffect    point = "after the effect"
	beforeComplete point = "before the answer is stored"
	afterComplete  point = "after the answer is stored"
	beforeCommit   point = "before COMMIT"
	afterCommit    point = "after COMMIT"
)

// stopper stops one call at one point until it may go on.
type stopper struct {
	at       point
	obedient bool // go on as well when the context at the point ends
	reached  func()
	goOn     chan struct{}
	once     sync.Once
}

type stopperKey struct{}

// with returns a context whose call s stops.
func (s *stopper) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, stopperKey{}, s)
}

// reach says that the call of ctx is at p. It returns when the call may go on, at once if nothing stops it there.
func reach(ctx context.Context, p point) {
	s, ok := ctx.Value(stopperKey{}).(*stopper)
	if !ok || s.at != p {
		return
	}
	s.once.Do(func() {
		s.reached()
		over := ctx.Done()
		if !s.obedient {
			over = nil
		}
		select {
		case <-s.goOn:
		case <-over:
		}
	})
}

// stage puts points around a store whose transactions are Tx's.
func stage[Tx any](store backend.Store) backend.Store {
	tx, ok := store.(backend.Transactor[Tx])
	if !ok {
		return staged{store}
	}
	return stagedTx[Tx]{staged{store}, tx}
}

type staged struct{ backend.Store }

// renewing is locked while no renewal may be under way.
var renewing sync.RWMutex

func (s staged) Renew(ctx context.Context, id backend.ID, token backend.Token, r backend.Renewal) (backend.Grant, error) {
	renewing.RLock()
	defer renewing.RUnlock()
	return s.Store.Renew(ctx, id, token, r)
}

func (s staged) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	g, err := s.Store.Begin(ctx, c)
	if err == nil && g.Verdict == backend.Claimed {
		reach(ctx, afterClaim)
	}
	return g, err
}

func (s staged) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	reach(ctx, beforeComplete)
	g, err := s.Store.Complete(ctx, id, token, c)
	reach(ctx, afterComplete)
	return g, err
}

type stagedTx[Tx any] struct {
	staged
	tx backend.Transactor[Tx]
}

var _ backend.Transactor[int] = stagedTx[int]{}

func (s stagedTx[Tx]) InTx(ctx context.Context, c backend.Claim, run func(context.Context, Tx, backend.TxStore) error) (backend.Grant, error) {
	g, err := s.tx.InTx(ctx, c, func(ctx context.Context, tx Tx, in backend.TxStore) error {
		reach(ctx, afterClaim)
		err := run(ctx, tx, stagedIn{in})
		if err == nil {
			reach(ctx, beforeCommit)
		}
		return err
	})
	if err == nil && g.Verdict == backend.Claimed {
		reach(ctx, afterCommit)
	}
	return g, err
}

func (s stagedTx[Tx]) Join(tx Tx) (backend.TxStore, error) { return s.tx.Join(tx) }

func (s stagedTx[Tx]) Settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	return s.tx.Settle(ctx, id, token)
}

// stagedIn is a store inside a transaction.
type stagedIn struct{ backend.TxStore }

func (s stagedIn) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	reach(ctx, beforeComplete)
	return s.TxStore.Complete(ctx, id, token, c)
}
