package memtest

import (
	"context"
	"errors"
	"maps"
	"math/bits"

	"github.com/idem-go/idem/backend"
)

// ErrTxOver is returned by calls on a transaction that was committed or rolled back, and by the Commit and Rollback of
// one that InTx started, which InTx alone ends.
var ErrTxOver = errors.New("memtest: the transaction is over, or another's to end")

// Tx is a transaction: what it writes is seen by nobody else until it commits. Like the transactions of a database it
// is for one goroutine at a time.
//
// A memory store has no tables for a caller's effects, so a Tx offers OnCommit in their place.
type Tx struct {
	store  *Store
	ctx    context.Context
	done   chan struct{} // closed when the transaction is over
	lent   bool          // InTx ends it
	over   bool
	failed error // why it can only be rolled back
	staged map[backend.ID]*record
	hooks  []func()
}

// BeginTx starts a transaction that the caller ends with Commit or Rollback: for Store.Join, as JoinTx uses it. The end
// of ctx makes the transaction's calls and its Commit fail; its rows are free once Commit or Rollback was called.
func (s *Store) BeginTx(ctx context.Context) *Tx {
	return &Tx{store: s, ctx: ctx, done: make(chan struct{}), staged: make(map[backend.ID]*record)}
}

// OnCommit has f run once, on the committing goroutine, right after the transaction committed; never if it is rolled
// back, or if OnCommit was called inside a Nested that failed. It stands for an effect in the database.
func (tx *Tx) OnCommit(f func()) { tx.hooks = append(tx.hooks, f) }

// Commit makes what was written visible, all at once. It rolls back and returns an error if the transaction's context
// has ended.
func (tx *Tx) Commit() error {
	if tx.over || tx.lent {
		return ErrTxOver
	}
	defer tx.end(nil)
	if tx.ctx.Err() != nil {
		return context.Cause(tx.ctx)
	}
	return tx.commit(tx.ctx)
}

// Rollback forgets what was written. It returns ErrTxOver, and does nothing, where there is nothing to roll back.
func (tx *Tx) Rollback() error {
	if tx.over || tx.lent {
		return ErrTxOver
	}
	tx.end(nil)
	return nil
}

// commit ends the transaction, and the faults decide how it looks from outside.
func (tx *Tx) commit(ctx context.Context) error {
	if tx.failed != nil {
		return tx.failed
	}
	do := func() (backend.Grant, error) {
		tx.end(tx.staged)
		return backend.Grant{}, nil
	}
	in := tx.store.instruments.Load()
	if in == nil {
		_, err := do()
		return err
	}
	g, err := in.strike(OpCommit).around(ctx, OpCommit, do)
	in.log.add(Call{Op: OpCommit, Verdict: g.Verdict, Err: err})
	return err
}

// end writes what is to be kept, frees the rows and runs the hooks where there is something to commit: nil rolls back.
func (tx *Tx) end(keep map[backend.ID]*record) {
	if tx.over {
		return
	}
	tx.over = true
	tx.apply(tx.staged, keep)
	close(tx.done)
	if keep == nil {
		return
	}
	for _, f := range tx.hooks {
		f()
	}
}

// apply frees the rows of ids and writes keep, under the locks of all their shards at once: nobody sees a half of it.
func (tx *Tx) apply(ids, keep map[backend.ID]*record) {
	var touched uint64
	for id := range ids {
		touched |= 1 << shardOf(id)
	}
	for set := touched; set != 0; set &= set - 1 {
		tx.store.shards[bits.TrailingZeros64(set)].mu.Lock()
	}
	for id := range ids {
		sh := tx.store.shard(id)
		delete(sh.rows, id)
		if next := keep[id]; next != nil {
			sh.put(id, nil, next)
		}
	}
	for set := touched; set != 0; set &= set - 1 {
		tx.store.shards[bits.TrailingZeros64(set)].mu.Unlock()
	}
}

// write stages what the step makes of the record. A transaction does not wait for another one, which might wait for it.
func (tx *Tx) write(st step) (backend.Grant, error) {
	if err := tx.store.tooLarge(st.size); err != nil {
		return backend.Grant{}, err
	}
	sh := tx.store.shard(st.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := tx.store.now()
	if row, locked := sh.rows[st.id]; locked && row.tx != tx {
		g, wait := row.behind(sh.records[st.id].live(now), st, now)
		if wait != nil {
			tx.failed = backend.ErrConflict
		}
		return g, tx.failed
	}
	r := tx.current(sh, st.id, now)
	next, g := st.do(r.clone(), now)
	if next != nil {
		tx.stage(sh, st.id, r, next)
	}
	return g, nil
}

func (tx *Tx) current(sh *shard, id backend.ID, now instant) *record {
	if r, staged := tx.staged[id]; staged {
		return r.live(now)
	}
	return sh.records[id].live(now)
}

// stage keeps next aside, and the row for this transaction. A row whose record is to go keeps its last claim's times.
func (tx *Tx) stage(sh *shard, id backend.ID, r, next *record) {
	tx.staged[id] = next
	if next != gone {
		r = next
	}
	sh.lockRow(id, tx, r)
}

// savepoint is where a Nested that failed goes back to.
type savepoint struct {
	staged map[backend.ID]*record
	hooks  int
}

func (tx *Tx) savepoint() savepoint {
	return savepoint{staged: maps.Clone(tx.staged), hooks: len(tx.hooks)}
}

// rollbackTo forgets what was written since the savepoint, and frees the rows that were taken since then.
func (tx *Tx) rollbackTo(p savepoint) {
	if tx.over {
		return
	}
	maps.DeleteFunc(tx.staged, func(id backend.ID, _ *record) bool {
		_, before := p.staged[id]
		return before
	})
	tx.apply(tx.staged, nil)
	tx.staged = p.staged
	clear(tx.hooks[p.hooks:])
	tx.hooks = tx.hooks[:p.hooks]
}
