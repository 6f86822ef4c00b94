package sqltest

import (
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// leaseOf is when the lease of a claim ends, which nothing but a flush changes once its answer is stored.
func (p *place) leaseOf(t *testing.T, db *sqlx.DB, c backend.Claim) int {
	t.Helper()
	return p.number(t, db, fmt.Sprintf(`SELECT lease_until FROM {t} WHERE id = x'%x'`, c.ID[:]))
}

// InnoDB shows an answer to others before it is on disk. Whoever did not store it writes, and so flushes, before he tells it.
func TestAnAnswerIsOnDiskBeforeAnybodyIsTold(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, writer := p.open(t)
		for name, tell := range map[string]func(t *testing.T, other *sqlbackend.Store, c backend.Claim){
			"a duplicate": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				begins(t, other, again(c), backend.Replay)
			},
			"a duplicate of DoTx": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				inTx(t, other, again(c), mustNotRun(t), backend.Replay)
			},
			"a completion that is sent again": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) { completes(t, other, c, "answer") },
			"a stale owner": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				stale := again(c)
				g, err := other.Complete(t.Context(), stale.ID, stale.Token, completionOf(stale, "another answer"))
				require.NoError(t, err)
				require.Equal(t, backend.Replay, g.Verdict)
			},
			"a transaction that is settled": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				g, err := other.Settle(t.Context(), c.ID, c.Token)
				require.NoError(t, err)
				require.Equal(t, backend.Kept, g.Verdict)
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				other, err := p.store(t.Context(), db)
				require.NoError(t, err)
				c, old := claimOf(name), claimOf(name+", old")
				for _, c := range []backend.Claim{c, old} {
					begins(t, writer, c, backend.Claimed)
					completes(t, writer, c, "answer")
				}
				was := p.leaseOf(t, db, c)
				begins(t, writer, again(c), backend.Replay)
				require.Equal(t, was, p.leaseOf(t, db, c), "who stored it was told after it was on disk")
				tell(t, other, c)
				require.Equal(t, was+1, p.leaseOf(t, db, c))
				tell(t, other, c)
				require.Equal(t, was+1, p.leaseOf(t, db, c), "the second time it is known")

				p.run(t, db, fmt.Sprintf(`UPDATE {t} SET since = since - %d WHERE id = x'%x'`, (10*time.Second).Milliseconds(), old.ID[:]))
				was = p.leaseOf(t, db, old)
				tell(t, other, old)
				require.Equal(t, was, p.leaseOf(t, db, old), "what is old has long been on disk")
			})
		}
	})
}

// What is told inside a transaction is on disk once that has committed, and known to be only then.
func TestAnAnswerThatATransactionIsToldIsOnDiskWithIt(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, writer := p.open(t)
		other, err := p.store(t.Context(), db)
		require.NoError(t, err)
		c := claimOf("key")
		begins(t, writer, c, backend.Claimed)
		completes(t, writer, c, "answer")
		was := p.leaseOf(t, db, c)
		for range 2 {
			tx, joined := p.joins(t, db, other)
			begins(t, joined, again(c), backend.Replay)
			require.Equal(t, was, p.leaseOf(t, db, c))
			require.NoError(t, tx.Rollback())
		}
		tx, joined := p.joins(t, db, other)
		begins(t, joined, again(c), backend.Replay)
		require.NoError(t, tx.Commit())
		require.Equal(t, was+1, p.leaseOf(t, db, c))
	})
}

// What a transaction stored is known to be on disk once it has committed, and not where it was the caller's own.
func TestWhoStoresAnAnswerKnowsWhenItIsOnDisk(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) {
		db, store := p.open(t)
		own, joins := claimOf("own"), claimOf("joins")
		inTx(t, store, own, answering(own, "answer"), backend.Claimed)
		was := p.leaseOf(t, db, own)
		begins(t, store, again(own), backend.Replay)
		require.Equal(t, was, p.leaseOf(t, db, own))

		tx, joined := p.joins(t, db, store)
		begins(t, joined, joins, backend.Claimed)
		require.NoError(t, answering(joins, "answer")(t.Context(), tx, joined))
		require.NoError(t, tx.Commit())
		was = p.leaseOf(t, db, joins)
		begins(t, store, again(joins), backend.Replay)
		require.Equal(t, was+1, p.leaseOf(t, db, joins))
	})
}

// An answer that is removed between the look and the flush is nobody's any more: who asked is answered as if it had never been.
// MariaDB alone looks with what is no write.
func TestAnAnswerThatGoesBeforeItIsOnDiskIsNotTold(t *testing.T) {
	each(t, func(v *via) bool { return v == viaMySQL }, func(t *testing.T, p *place) {
		db, writer := p.open(t)
		for name, ask := range map[string]func(t *testing.T, other *sqlbackend.Store, c backend.Claim){
			"a claim": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				begins(t, other, again(c), backend.Claimed)
			},
			"a claim of DoTx": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				c = again(c)
				inTx(t, other, c, answering(c, "another"), backend.Claimed)
			},
			"a transaction that is settled": func(t *testing.T, other *sqlbackend.Store, c backend.Claim) {
				g, err := other.Settle(t.Context(), c.ID, c.Token)
				require.NoError(t, err)
				require.Equal(t, backend.Lost, g.Verdict)
			},
		} {
			t.Run(name, func(t *testing.T) {
				_, other, tap := p.tapped(t)
				c := claimOf(name)
				begins(t, writer, c, backend.Claimed)
				completes(t, writer, c, "answer")
				forgotten := false
				forget := func() {
					p.run(t, db, `DELETE FROM {t}`)
					forgotten = true
				}
				tap.exec.Store(&forget)
				ask(t, other, c)
				require.True(t, forgotten)
			})
		}
	})
}
