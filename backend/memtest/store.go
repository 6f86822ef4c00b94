package memtest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem/backend"
)

// Store keeps records in this process's memory. The zero value is an empty store that is ready; a Store must not be
// copied once it was used. All methods may be called concurrently.
//
// Its clock is this process's (inside a testing/synctest bubble: the bubble's) plus what [Store.Advance] added.
type Store struct {
	shards      [shardCount]shard
	instruments atomic.Pointer[instruments] // nil while no fault waits and no log is kept
	ahead       atomic.Int64                // nanoseconds that Advance added to the clock
	maxAnswer   atomic.Int64
	pruneAt     atomic.Uint32 // the shard where the next Prune starts
}

var (
	_ backend.Store           = (*Store)(nil)
	_ backend.Transactor[*Tx] = (*Store)(nil)
	_ backend.Pruner          = (*Store)(nil)
	_ backend.Inspector       = (*Store)(nil)
	_ backend.Notifier        = (*Store)(nil)
	_ backend.Checker         = (*Store)(nil)
)

// Advance moves the store's clock forward by d, so that leases and retentions run out without waiting. It panics if d
// is negative: a clock that goes back would bring expired answers to life.
func (s *Store) Advance(d time.Duration) {
	if d < 0 {
		panic("memtest: Advance by a negative duration")
	}
	s.ahead.Add(int64(d))
}

// SetMaxAnswer makes Complete and Resolve refuse answers of more than this many bytes with an error that wraps
// backend.ErrTooLarge. Zero, the default, sets no limit.
func (s *Store) SetMaxAnswer(bytes int) { s.maxAnswer.Store(int64(bytes)) }

// Begin claims a record as backend.Store says.
func (s *Store) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	return s.call(ctx, step{op: OpBegin, id: c.ID, do: func(r *record, now instant) (*record, backend.Grant) {
		return begin(r, &c, now)
	}})
}

// Renew extends a claim's lease as backend.Store says.
func (s *Store) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	return s.call(ctx, step{op: OpRenew, id: id, do: func(r *record, now instant) (*record, backend.Grant) {
		return renew(r, token, &n, now)
	}})
}

// Complete stores a copy of the answer as backend.Store says.
func (s *Store) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	return s.call(ctx, step{op: OpComplete, id: id, size: len(c.Answer), do: func(r *record, now instant) (*record, backend.Grant) {
		return complete(r, token, &c, now)
	}})
}

// Release frees a record as backend.Store says.
func (s *Store) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	return s.call(ctx, step{op: OpRelease, id: id, do: func(r *record, _ instant) (*record, backend.Grant) {
		return release(r, token)
	}})
}

// Hold gives a record up without an answer as backend.Store says.
func (s *Store) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	return s.call(ctx, step{op: OpHold, id: id, do: func(r *record, now instant) (*record, backend.Grant) {
		return hold(r, token, note, now)
	}})
}

// step is one call on one record.
type step struct {
	op   Op // zero for an operator's calls, which no fault hits and no log shows
	id   backend.ID
	size int // of the answer that would be stored
	do   rule
}

// call is the way of every record call that runs outside of a transaction.
func (s *Store) call(ctx context.Context, st step) (backend.Grant, error) {
	if ctx.Err() != nil {
		return backend.Grant{}, context.Cause(ctx)
	}
	in := s.instruments.Load()
	if in == nil || st.op == 0 {
		return s.write(ctx, st)
	}
	return in.around(ctx, st.op, st.id, func() (backend.Grant, error) { return s.write(ctx, st) })
}

// write does the step. Where an open transaction holds the row, a claim is told so at once and everything else waits
// for the end of the transaction, as it would in a database.
func (s *Store) write(ctx context.Context, st step) (backend.Grant, error) {
	if err := s.tooLarge(st.size); err != nil {
		return backend.Grant{}, err
	}
	sh := s.shard(st.id)
	for {
		g, over := sh.write(s.now, st)
		if over == nil {
			return g, nil
		}
		select {
		case <-over:
		case <-ctx.Done():
			return backend.Grant{}, context.Cause(ctx)
		}
	}
}

func (s *Store) shard(id backend.ID) *shard { return &s.shards[shardOf(id)] }

func (s *Store) now() instant {
	return instant(time.Since(start)).add(time.Duration(s.ahead.Load()))
}

func (s *Store) tooLarge(size int) error {
	if size == 0 {
		return nil
	}
	if limit := s.maxAnswer.Load(); limit > 0 && int64(size) > limit {
		return backend.ErrTooLarge
	}
	return nil
}
