package sqlbackend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// Join returns a store whose calls run inside tx, as backend.Transactor says; tx must be one of this store's database.
// In a transaction that did not begin with a lock (on SQLite: one that is not IMMEDIATE) Begin should be the first
// statement: what has read before may be refused the write, with backend.ErrConflict.
func (s *Store) Join(tx *sqlx.Tx) (backend.TxStore, error) {
	if tx == nil || tx.Tx == nil {
		return nil, errors.New("sqlbackend: join: the transaction is nil")
	}
	return &joined{store: s, tx: tx}, nil
}

// joined is a store inside one transaction, for one goroutine.
type joined struct {
	store *Store
	tx    *sqlx.Tx
}

var _ backend.TxStore = (*joined)(nil)

func (j *joined) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	g, err := j.store.engine.beginIn(ctx, j.session(), c)
	return j.store.result(ctx, "begin", g, err)
}

func (j *joined) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	g, err := j.store.records.renew(ctx, j.session(), id, token, n)
	return j.store.result(ctx, "renew", g, err)
}

func (j *joined) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	g, err := j.store.records.complete(ctx, j.session(), id, token, c)
	return j.store.result(ctx, "complete", g, err)
}

func (j *joined) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	g, err := j.store.records.release(ctx, j.session(), id, token)
	return j.store.result(ctx, "release", g, err)
}

func (j *joined) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	g, err := j.store.records.hold(ctx, j.session(), id, token, note)
	return j.store.result(ctx, "hold", g, err)
}

func (j *joined) session() session { return within{j.tx} }

// undoWait bounds the way back to a savepoint, which no longer follows the caller's context.
const undoWait = 5 * time.Second

// savepoints numbers the names: two stores may be joined to one transaction, and MySQL forgets a savepoint when its name
// is used again.
var savepoints atomic.Uint64

// Nested runs f under a savepoint as backend.TxStore says.
func (j *joined) Nested(ctx context.Context, f func(context.Context) error) (err error) {
	name := "idem_" + strconv.FormatUint(savepoints.Add(1), 36)
	if err := j.run(ctx, "SAVEPOINT "+name); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			err = j.undo(ctx, name, err)
		}
	}()
	if err := f(ctx); err != nil {
		return err
	}
	done = true
	return j.run(ctx, "RELEASE SAVEPOINT "+name)
}

// undo rolls back to the savepoint for the reason err. If that fails, err says so too: the transaction cannot go on.
func (j *joined) undo(ctx context.Context, name string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	undone := j.run(ctx, "ROLLBACK TO SAVEPOINT "+name)
	if undone == nil {
		undone = j.run(ctx, "RELEASE SAVEPOINT "+name)
	}
	if undone != nil {
		return fmt.Errorf("%w; and the transaction could not go back: %w", err, undone)
	}
	return err
}

func (j *joined) run(ctx context.Context, text string) error {
	_, err := j.tx.ExecContext(ctx, text)
	return failure(ctx, "savepoint", err, j.store.engine.classify)
}
