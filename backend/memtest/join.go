package memtest

import (
	"context"
	"errors"

	"github.com/idem-go/idem/backend"
)

// InTx claims, runs and commits as backend.Transactor says. run sees a Tx of its own; it must not end it.
func (s *Store) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *Tx, backend.TxStore) error) (backend.Grant, error) {
	tx := s.BeginTx(ctx)
	tx.lent = true
	// A panic or a Goexit of run passes through here: what was not committed is then rolled back.
	defer tx.end(nil)
	g, err := txStore{tx}.Begin(ctx, c)
	if err != nil || g.Verdict != backend.Claimed {
		return g, err
	}
	if err := run(ctx, tx, txStore{tx}); err != nil {
		return backend.Grant{}, err
	}
	if ctx.Err() != nil {
		return backend.Grant{}, context.Cause(ctx)
	}
	if err := tx.commit(context.WithoutCancel(ctx)); err != nil {
		return backend.Grant{}, err
	}
	return g, nil
}

// Join returns a store whose calls run inside tx. It fails with ErrTxOver where tx has ended, and where tx is nil or
// belongs to another store.
func (s *Store) Join(tx *Tx) (backend.TxStore, error) {
	switch {
	case tx == nil || tx.store != s:
		return nil, errors.New("memtest: Join: the transaction is nil or belongs to another store")
	case tx.over:
		return nil, ErrTxOver
	default:
		return txStore{tx}, nil
	}
}

// Settle waits for the end of a transaction that writes under token and says how it ended, as backend.Transactor says.
func (s *Store) Settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	if ctx.Err() != nil {
		return backend.Grant{}, context.Cause(ctx)
	}
	in := s.instruments.Load()
	if in == nil {
		return s.settle(ctx, id, token)
	}
	return in.around(ctx, OpSettle, id, func() (backend.Grant, error) { return s.settle(ctx, id, token) })
}

func (s *Store) settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	sh := s.shard(id)
	for {
		g, over := sh.settled(s.now, id, token)
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

func (sh *shard) settled(clock func() instant, id backend.ID, token backend.Token) (backend.Grant, <-chan struct{}) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if row, locked := sh.rows[id]; locked && row.token == token {
		return backend.Grant{}, row.tx.done
	}
	r := sh.records[id].live(clock())
	if r == nil || r.token != token {
		return verdict(backend.Lost), nil
	}
	return backend.Grant{Verdict: backend.Kept, Answer: r.answer}, nil
}

// txStore is a Store inside one transaction.
type txStore struct{ tx *Tx }

var _ backend.TxStore = txStore{}

func (t txStore) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	return t.call(ctx, step{op: OpBegin, id: c.ID, do: func(r *record, now instant) (*record, backend.Grant) {
		return begin(r, &c, now)
	}})
}

func (t txStore) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	return t.call(ctx, step{op: OpRenew, id: id, do: func(r *record, now instant) (*record, backend.Grant) {
		return renew(r, token, &n, now)
	}})
}

func (t txStore) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	return t.call(ctx, step{op: OpComplete, id: id, size: len(c.Answer), do: func(r *record, now instant) (*record, backend.Grant) {
		return complete(r, token, &c, now)
	}})
}

func (t txStore) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	return t.call(ctx, step{op: OpRelease, id: id, do: func(r *record, _ instant) (*record, backend.Grant) {
		return release(r, token)
	}})
}

func (t txStore) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	return t.call(ctx, step{op: OpHold, id: id, do: func(r *record, now instant) (*record, backend.Grant) {
		return hold(r, token, note, now)
	}})
}

// Nested runs f under a savepoint as backend.TxStore says.
func (t txStore) Nested(ctx context.Context, f func(context.Context) error) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	saved, kept := t.tx.savepoint(), false
	defer func() {
		if !kept {
			t.tx.rollbackTo(saved)
		}
	}()
	if err := f(ctx); err != nil {
		return err
	}
	kept = true
	return nil
}

func (t txStore) call(ctx context.Context, st step) (backend.Grant, error) {
	if err := t.usable(ctx); err != nil {
		return backend.Grant{}, err
	}
	in := t.tx.store.instruments.Load()
	if in == nil {
		return t.tx.write(st)
	}
	return in.around(ctx, st.op, st.id, func() (backend.Grant, error) { return t.tx.write(st) })
}

// usable says whether the transaction can still take a call: not once it ended, failed, or lost its context.
func (t txStore) usable(ctx context.Context) error {
	switch {
	case t.tx.over:
		return ErrTxOver
	case t.tx.failed != nil:
		return t.tx.failed
	case t.tx.ctx.Err() != nil:
		return context.Cause(t.tx.ctx)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return nil
	}
}
