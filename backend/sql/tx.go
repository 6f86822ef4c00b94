package sqlbackend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// txFunc is what runs inside a transaction that InTx began.
type txFunc = func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error

// commitWait bounds a COMMIT, which no longer follows the caller's context.
const commitWait = 5 * time.Second

// InTx claims, runs and commits as backend.Transactor says. run must neither commit nor roll back, and must write
// through tx: on SQLite a write through the pool, or a call on this store, would wait for the transaction around it.
func (s *Store) InTx(ctx context.Context, c backend.Claim, run func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error) (backend.Grant, error) {
	if ctx.Err() != nil {
		return backend.Grant{}, failure(ctx, "begin", context.Cause(ctx), s.engine.classify)
	}
	return s.engine.inTx(ctx, c, run)
}

// Settle says how a transaction ended whose COMMIT had no answer, as backend.Transactor says.
func (s *Store) Settle(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	g, err := s.engine.settle(ctx, id, token)
	return s.result(ctx, "settle", g, err)
}

// lookFirst looks at the record of c through the pool, and prepares there what the transaction will need, while it holds
// no connection.
func (s *Store) lookFirst(ctx context.Context, c *backend.Claim, needed ...*query) (move, backend.Grant, error) {
	for _, q := range needed {
		if _, err := q.prepare(ctx, s.db); err != nil {
			return stay, backend.Grant{}, err
		}
	}
	seen, err := s.records.look(ctx, s.pool, c.ID)
	if err != nil {
		return stay, backend.Grant{}, err
	}
	m, g := decide(seen, c)
	if g.Verdict == backend.Replay {
		g, err = s.records.tell(ctx, s.pool, c.ID, seen, g)
	}
	return m, g, err
}

// errNotRun ends a transaction in which the claim was not won.
var errNotRun = errors.New("sqlbackend: not claimed")

// claimAndRun is one transaction of InTx: claim inside it, run, commit.
func (s *Store) claimAndRun(ctx context.Context, opts *sql.TxOptions, claim func(context.Context, session) (backend.Grant, error), run txFunc) (backend.Grant, error) {
	var g backend.Grant
	err := s.transact(ctx, opts, func(tx *sqlx.Tx) (err error) {
		if g, err = claim(ctx, within{tx}); err != nil {
			return failure(ctx, "begin", err, s.engine.classify)
		}
		if g.Verdict != backend.Claimed {
			return errNotRun
		}
		if err = run(ctx, tx, &joined{store: s, tx: tx}); err != nil && s.engine.classify(err) == conflict {
			return wrapped(backend.ErrConflict, err)
		}
		return err
	})
	if err != nil && !errors.Is(err, errNotRun) {
		return backend.Grant{}, err
	}
	return g, nil
}

// transact runs body in a transaction and commits it, or rolls it back where body returns an error, panics or exits.
// The transaction follows ctx until body has returned, and not after.
func (s *Store) transact(ctx context.Context, opts *sql.TxOptions, body func(*sqlx.Tx) error) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	leave := context.AfterFunc(ctx, cancel)
	defer leave()
	tx, err := s.db.BeginTxx(own, opts)
	if err != nil {
		return failure(ctx, "begin a transaction", err, s.engine.classify)
	}
	committing := false
	defer func() {
		if !committing {
			_ = tx.Rollback() // body's error, panic or exit says what happened; a dead connection rolls back too
		}
	}()
	if err := body(tx); err != nil {
		return err
	}
	if !leave() {
		return failure(ctx, "commit", context.Cause(ctx), s.engine.classify)
	}
	committing = true
	return s.commit(tx, cancel)
}

// commit waits no longer than commitWait: some drivers wait for the answer to a COMMIT as long as the operating system
// does, which can be a quarter of an hour, whatever becomes of the context. What they wait on is then left to them.
func (s *Store) commit(tx *sqlx.Tx, cancel context.CancelFunc) error {
	ended := make(chan error, 1)
	go func() { ended <- discreet(tx.Commit()) }()
	late := time.NewTimer(commitWait)
	defer late.Stop()
	select {
	case err := <-ended:
		return s.committed(err)
	case <-late.C:
		cancel() // other drivers end the connection
		return s.committed(errNoAnswer)
	}
}

var errNoAnswer = fmt.Errorf("no answer within %v", commitWait)

// committed is the error of a COMMIT that ended in err.
func (s *Store) committed(err error) error {
	if err == nil {
		return nil
	}
	switch s.engine.classify(err) {
	case conflict, busy:
		err = wrapped(backend.ErrConflict, err)
	case refused, missingKey: // a constraint that is checked at the end: the database has said no
	default:
		if !errors.Is(err, sql.ErrTxDone) { // run ended the transaction itself
			err = wrapped(backend.ErrCommitUnknown, err)
		}
	}
	return fmt.Errorf("sqlbackend: commit: %w", err)
}
