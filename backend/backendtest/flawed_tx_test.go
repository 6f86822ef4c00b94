package backendtest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	"github.com/idem-go/idem/backend/memtest"
)

// flawedTx is a Transactor with one flaw. Its transactions are memtest's; how they are used is its own.
type flawedTx struct {
	*memtest.Store
	shared *sharedTx
	flaw   string
}

// sharedTx is what the handles of one storage share.
type sharedTx struct {
	joined       atomic.Int64 // transactions that were joined and are open
	effects      atomic.Int64
	beforeCommit func()
}

// txHarness opens flawed transactors on one storage.
func txHarness(flaw string) backendtest.TxHarness[*memtest.Tx] {
	store, shared := new(memtest.Store), &sharedTx{beforeCommit: func() {}}
	return backendtest.TxHarness[*memtest.Tx]{
		Harness: backendtest.Harness{
			Open:     func(backendtest.TB) backend.Store { return &flawedTx{store, shared, flaw} },
			Advance:  func(_ backendtest.TB, d time.Duration) { store.Advance(d) },
			Patience: patience(flaw),
			Rounds:   rounds(flaw),
		},
		Effect: func(_ context.Context, tx *memtest.Tx) error {
			tx.OnCommit(func() { shared.effects.Add(1) })
			return nil
		},
		Effects: func(backendtest.TB) int { return int(shared.effects.Load()) },
		Begin: func(tb backendtest.TB) backendtest.Transaction[*memtest.Tx] {
			tx := store.BeginTx(tb.Context())
			shared.joined.Add(1)
			commit := func() error { shared.joined.Add(-1); return tx.Commit() }
			return backendtest.Transaction[*memtest.Tx]{Tx: tx, Commit: commit, Rollback: tx.Rollback}
		},
		BeforeCommit: func(_ backendtest.TB, do func()) { shared.beforeCommit = do },
	}
}

func (s *flawedTx) has(flaw string) bool { return s.flaw == flaw }

type txBody = func(context.Context, *memtest.Tx, backend.TxStore) error

func (s *flawedTx) InTx(ctx context.Context, c backend.Claim, run txBody) (backend.Grant, error) {
	if ctx.Err() != nil && !s.has("looks at no context") {
		return backend.Grant{}, ctx.Err()
	}
	if s.has("has one lock for all transactions") && s.shared.joined.Load() > 0 {
		<-ctx.Done()
		return backend.Grant{}, ctx.Err()
	}
	if s.has("claims after it ran") {
		return s.claimLate(ctx, c, run)
	}
	tx := s.BeginTx(context.WithoutCancel(ctx))
	defer func() { _ = tx.Rollback() }()
	store := s.inside(tx)
	g, err := s.claim(ctx, store, c)
	if err != nil || g.Verdict != backend.Claimed && !s.has("runs in spite of "+g.Verdict.String()) {
		return g, err
	}
	if err := s.run(ctx, tx, store, run); err != nil {
		return backend.Grant{}, err
	}
	return s.commit(ctx, tx, store, g)
}

func (s *flawedTx) claim(ctx context.Context, store *flawedTxStore, c backend.Claim) (backend.Grant, error) {
	if s.has("takes over outside of the transaction") {
		return s.Begin(ctx, c)
	}
	if s.has("looks at no context") {
		ctx = context.WithoutCancel(ctx)
	}
	g, err := store.claim(ctx, c)
	if g.Attempt > 1 && s.has("does not take over") {
		return backend.Grant{Verdict: backend.InFlight}, err
	}
	return g, err
}

func (s *flawedTx) run(ctx context.Context, tx *memtest.Tx, store *flawedTxStore, run txBody) error {
	returned := false
	defer func() {
		if !returned && (s.has("commits in spite of a panic") || s.has("commits in spite of an exit")) {
			_ = tx.Commit()
		}
	}()
	err := run(ctx, tx, store)
	returned = true
	if err != nil && s.has("commits in spite of an error") {
		_ = tx.Commit()
	}
	return err
}

func (s *flawedTx) commit(ctx context.Context, tx *memtest.Tx, store *flawedTxStore, g backend.Grant) (backend.Grant, error) {
	if ctx.Err() != nil && !s.has("looks at no context") && !s.has("commits and says that it did not") {
		return backend.Grant{}, ctx.Err()
	}
	s.shared.beforeCommit()
	switch {
	case s.has("commits under its caller's context") && ctx.Err() != nil:
		return backend.Grant{}, ctx.Err()
	case s.has("rolls back what stores no answer") && !store.answered:
		return g, nil
	}
	if err := tx.Commit(); err != nil {
		return backend.Grant{}, err
	}
	if s.has("commits and says that it did not") {
		return backend.Grant{}, errors.New("a flaw")
	}
	return g, nil
}

// claimLate is the check before the work, and the claim after it.
func (s *flawedTx) claimLate(ctx context.Context, c backend.Claim, run txBody) (backend.Grant, error) {
	shown, err := s.Lookup(ctx, c.ID)
	if err != nil || shown.State != backend.Absent {
		return backend.Grant{Verdict: backend.InFlight}, err
	}
	runtime.Gosched()
	tx := s.BeginTx(ctx)
	if err := run(ctx, tx, &flawedTxStore{TxStore: s.inside(tx).TxStore, owner: &flawedTx{s.Store, s.shared, "forgets its answer"}}); err != nil {
		return backend.Grant{}, err
	}
	if err := tx.Commit(); err != nil {
		return backend.Grant{}, err
	}
	_, err = s.Begin(ctx, c)
	return backend.Grant{Verdict: backend.Claimed, Attempt: 1}, err
}

func (s *flawedTx) Join(tx *memtest.Tx) (backend.TxStore, error) { return s.inside(tx), nil }

func (s *flawedTx) Settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	if s.has("settles without waiting") {
		shown, err := s.Lookup(ctx, id)
		if err == nil && (shown.State == backend.Absent || !shown.Ref.Matches(token)) {
			return lost, nil
		}
	}
	g, err := s.Store.Settle(ctx, id, token)
	switch {
	case err == nil && s.has("settles everything as kept"):
		g.Verdict = backend.Kept
	case s.has("settles without the answer"):
		g.Answer = nil
	}
	return g, err
}

func (s *flawedTx) inside(tx *memtest.Tx) *flawedTxStore {
	store, err := s.Store.Join(tx)
	if err != nil {
		panic(err)
	}
	return &flawedTxStore{TxStore: store, owner: s}
}

// flawedTxStore is a store inside a transaction, flawed as its owner is.
type flawedTxStore struct {
	backend.TxStore
	owner    *flawedTx
	answered bool
	nested   []backend.Claim // made inside a Nested
}

func (t *flawedTxStore) has(flaw string) bool { return t.owner.has(flaw) }

func (t *flawedTxStore) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	if t.has("asks outside for its own claim") {
		return t.owner.Begin(ctx, c)
	}
	t.nested = append(t.nested, c)
	return t.claim(ctx, c)
}

// claim is Begin; a flaw makes it wait for the transaction that is in the way.
func (t *flawedTxStore) claim(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	g, err := t.TxStore.Begin(ctx, c)
	if err == nil && g.Verdict == backend.InFlight && t.has("lets a duplicate wait") {
		<-ctx.Done()
		return backend.Grant{}, ctx.Err()
	}
	if g.Verdict == backend.Replay && t.has("does not replay in a transaction") {
		g.Verdict = backend.InFlight
	}
	return g, err
}

func (t *flawedTxStore) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	t.answered = true
	switch {
	case t.has("forgets its answer"):
		return kept, nil
	case t.has("completes outside of the transaction"):
		if g, err := t.owner.Complete(ctx, id, token, c); err != nil || g.Verdict == backend.Kept {
			return g, err
		}
	}
	g, err := t.TxStore.Complete(ctx, id, token, c)
	if t.has("keeps whatever is completed in a transaction") {
		return kept, err
	}
	return g, err
}

func (t *flawedTxStore) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	if t.has("forgets a hold in a transaction") {
		return kept, nil
	}
	return t.TxStore.Hold(ctx, id, token, note)
}

func (t *flawedTxStore) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	if t.has("forgets a release in a transaction") {
		return kept, nil
	}
	return t.TxStore.Release(ctx, id, token)
}

// errFlaw rolls a Nested back that went well.
var errFlaw = errors.New("a flaw")

func (t *flawedTxStore) Nested(ctx context.Context, f func(context.Context) error) error {
	switch {
	case t.has("keeps what failed in a Nested"):
		return f(ctx)
	case t.has("keeps what panicked in a Nested"):
		return t.nestedPanic(ctx, f)
	case t.has("rolls back what went well in a Nested"):
		err := t.TxStore.Nested(ctx, func(ctx context.Context) error { return errors.Join(f(ctx), errFlaw) })
		if err != nil && strings.TrimSpace(err.Error()) == errFlaw.Error() {
			return nil
		}
		return err
	}
	t.nested = nil
	err := t.TxStore.Nested(ctx, f)
	if err != nil && t.has("keeps a claim that failed in a Nested") {
		for _, c := range t.nested {
			_, _ = t.TxStore.Begin(ctx, c)
		}
	}
	return err
}

// nestedPanic rolls errors back, and lets a panic pass with what it wrote.
func (t *flawedTxStore) nestedPanic(ctx context.Context, f func(context.Context) error) error {
	var value any
	err := t.TxStore.Nested(ctx, func(ctx context.Context) error {
		defer func() { value = recover() }()
		return f(ctx)
	})
	if value != nil {
		panic(value)
	}
	return err
}
