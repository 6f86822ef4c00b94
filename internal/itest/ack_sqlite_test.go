package itest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

// forgetful is a SQLite store that carries an operation out, and says that it did not hear how it went. There is no
// network that could do that to a file; a disk that fails and a process that is paused can.
type forgetful struct {
	*sqlbackend.Store

	mu   sync.Mutex
	plan []operation
}

var _ backend.Transactor[*sqlx.Tx] = (*forgetful)(nil)

var errUnheard = errors.New("it is not known how it went")

// forgets reports whether it is op's turn.
func (s *forgetful) forgets(op operation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.plan) == 0 || s.plan[0] != op {
		return false
	}
	s.plan = s.plan[1:]
	return true
}

func (s *forgetful) heard(op operation, g backend.Grant, err error) (backend.Grant, error) {
	if err == nil && s.forgets(op) {
		return backend.Grant{}, errUnheard
	}
	return g, err
}

func (s *forgetful) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	g, err := s.Store.Begin(ctx, c)
	return s.heard(opBegin, g, err)
}

func (s *forgetful) Renew(ctx context.Context, id backend.ID, token backend.Token, r backend.Renewal) (backend.Grant, error) {
	g, err := s.Store.Renew(ctx, id, token, r)
	return s.heard(opRenew, g, err)
}

func (s *forgetful) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	g, err := s.Store.Complete(ctx, id, token, c)
	return s.heard(opComplete, g, err)
}

func (s *forgetful) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	g, err := s.Store.Release(ctx, id, token)
	return s.heard(opRelease, g, err)
}

func (s *forgetful) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	g, err := s.Store.Hold(ctx, id, token, note)
	return s.heard(opHold, g, err)
}

func (s *forgetful) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *sqlx.Tx, backend.TxStore) error) (backend.Grant, error) {
	g, err := s.Store.InTx(ctx, c, run)
	if err == nil && g.Verdict == backend.Claimed && s.forgets(opCommit) {
		return backend.Grant{}, fmt.Errorf("%w: %w", backend.ErrCommitUnknown, errUnheard)
	}
	return g, err
}

func (s *forgetful) Settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	g, err := s.Store.Settle(ctx, id, token)
	return s.heard(opSettle, g, err)
}

func (s *forgetful) Prune(ctx context.Context) (backend.PruneStats, error) {
	stats, err := s.Store.Prune(ctx)
	if err == nil && s.forgets(opPrune) {
		return backend.PruneStats{}, errUnheard
	}
	return stats, err
}

// fileLoser loses acknowledgements between a file and its worker.
type fileLoser struct {
	*far
	store *forgetful
}

func (l *fileLoser) distance() *far { return l.far }

func (l *fileLoser) lose(ops ...operation) (lost func() int) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.store.plan = slices.Clone(ops)
	return func() int {
		l.store.mu.Lock()
		defer l.store.mu.Unlock()
		left := len(l.store.plan)
		l.store.plan = nil
		return len(ops) - left
	}
}

// openForgetful opens a file for a worker who is not told everything, and for a witness who is.
func openForgetful(t *testing.T) ackLoser {
	t.Helper()
	st := newStorage(t, sqliteSystem)
	f := &far{at: st.url, grace: time.Second, witness: st.calm().worker(t)}
	db, store, err := sqlite.Open(t.Context(), sqliteFile(st.url))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	f.beside = &connection{effects: f.witness.site.effects}
	f.pool = &connection{doTx: sqlDoTx(sqlx.QUESTION), inUse: func() int { return db.Stats().InUse }}
	return (&fileLoser{far: f, store: &forgetful{Store: store}}).another(t)
}

func (l *fileLoser) another(t *testing.T) ackLoser {
	t.Helper()
	f, pool := *l.far, *l.pool
	other := &fileLoser{far: &f, store: &forgetful{Store: l.store.Store}}
	pool.store = other.store
	f.pool = &pool
	f.worker = f.work(t, &pool)
	return other
}
