package pgx

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// bench is a store with one connection, which has prepared what it will need, and the count of its round trips.
type bench struct {
	*testing.T
	db    *sqlx.DB
	store *sqlbackend.Store
	wire  *wire
}

// takes checks how many round trips f takes.
func (b *bench) takes(want int64, what string, f func()) {
	b.Helper()
	b.wire.trips.Store(0)
	f()
	require.Equal(b, want, b.wire.trips.Load(), what)
}

func (b *bench) lapse() {
	b.Helper()
	_, err := b.db.ExecContext(b.Context(), `UPDATE idem_records SET lease_until = 1 WHERE state = 1`)
	require.NoError(b, err)
}

// walk makes every transition once, and counts where counted.
func (b *bench) walk(key string, counted bool) {
	takes := b.takes
	if !counted {
		takes = func(_ int64, _ string, f func()) { f() }
	}
	ctx := b.Context()
	own, freed, held, hold, lapsed := claimOf(key), claimOf(key+" freed"), claimOf(key+" held"), claimOf(key+" hold"), claimOf(key+" lapsed")
	hold.Hold = true
	kept := func(g backend.Grant, err error) {
		b.Helper()
		require.NoError(b, err)
		require.Equal(b, backend.Kept, g.Verdict)
	}
	takes(1, "a first claim", func() { begins(b.T, b.store, own, backend.Claimed) })
	takes(1, "the claim sent again", func() { begins(b.T, b.store, own, backend.Claimed) })
	takes(1, "in flight", func() { begins(b.T, b.store, again(own), backend.InFlight) })
	takes(1, "a renewal", func() {
		kept(b.store.Renew(ctx, own.ID, own.Token, backend.Renewal{Lease: time.Minute, Retention: time.Hour}))
	})
	takes(1, "a completion", func() { completes(b.T, b.store, own, "answer") })
	takes(1, "a replay", func() { begins(b.T, b.store, again(own), backend.Replay) })
	takes(1, "a mismatch", func() { begins(b.T, b.store, otherRequest(own), backend.Mismatch) })
	takes(2, "a completion sent again", func() { completes(b.T, b.store, own, "answer") })
	begins(b.T, b.store, freed, backend.Claimed)
	takes(1, "a release", func() { kept(b.store.Release(ctx, freed.ID, freed.Token)) })
	begins(b.T, b.store, held, backend.Claimed)
	takes(1, "a hold", func() { kept(b.store.Hold(ctx, held.ID, held.Token, "note")) })
	takes(1, "a held record", func() { begins(b.T, b.store, again(held), backend.Held) })
	begins(b.T, b.store, hold, backend.Claimed)
	begins(b.T, b.store, lapsed, backend.Claimed)
	b.lapse()
	takes(2, "an abandoned claim", func() { begins(b.T, b.store, again(hold), backend.Held) })
	takes(2, "a takeover", func() { begins(b.T, b.store, again(lapsed), backend.Claimed) })
	tx := claimOf(key + " tx")
	takes(5, "a transaction with one statement of its own", func() {
		inTx(b.T, b.store, tx, func(ctx context.Context, tx2 *sqlx.Tx, s backend.TxStore) error {
			if _, err := tx2.ExecContext(ctx, `INSERT INTO effects VALUES (1)`); err != nil {
				return err
			}
			return answering(tx, "answer")(ctx, tx2, s)
		}, backend.Claimed)
	})
	takes(3, "a replay in a transaction", func() { inTx(b.T, b.store, again(tx), mustNotRun(b.T), backend.Replay) })
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "cache_describe", "simple_protocol", "exec"} {
		t.Run("in mode "+mode, func(t *testing.T) {
			t.Parallel()
			db, store, w := openWired(t, newSchema(t), server(t, "default_query_exec_mode="+mode), 1)
			db.MustExecContext(t.Context(), `CREATE TABLE effects (n integer)`)
			b := &bench{T: t, db: db, store: store, wire: w}
			b.walk("prepares", false)
			b.walk("counts", true)
		})
	}
}
