package sqltest

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
	*place
	db    *sqlx.DB
	store *sqlbackend.Store
	tap   *tap
}

func (p *place) bench(t *testing.T) *bench {
	t.Helper()
	db, store, tap := p.of(1).tapped(t)
	p.run(t, db, `CREATE TABLE {t}_effects (n INTEGER)`)
	return &bench{T: t, place: p, db: db, store: store, tap: tap}
}

// trips are how many round trips things take on a database: to claim over what lapsed, to be told of a record that is
// there, a transaction with one statement of its own, a replay in one, and a completion that is sent again.
type trips struct{ over, told, tx, replay, again int64 }

// takes checks how many round trips f takes.
func (b *bench) takes(want int64, what string, f func()) {
	b.Helper()
	b.tap.trips.Store(0)
	f()
	require.Equal(b, want, b.tap.trips.Load(), what)
}

// walk makes every transition once, and counts where counted.
func (b *bench) walk(key string, counted bool, want trips) {
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
	takes(want.told, "the claim sent again", func() { begins(b.T, b.store, own, backend.Claimed) })
	takes(want.told, "in flight", func() { begins(b.T, b.store, again(own), backend.InFlight) })
	takes(want.told, "a mismatch in flight", func() { begins(b.T, b.store, otherRequest(own), backend.Mismatch) })
	takes(1, "a renewal", func() {
		kept(b.store.Renew(ctx, own.ID, own.Token, backend.Renewal{Lease: time.Hour, Retention: time.Hour}))
	})
	takes(1, "a completion", func() { completes(b.T, b.store, own, "answer") })
	takes(want.told, "a replay", func() { begins(b.T, b.store, again(own), backend.Replay) })
	takes(want.told, "a mismatch", func() { begins(b.T, b.store, otherRequest(own), backend.Mismatch) })
	takes(want.again, "a completion sent again", func() { completes(b.T, b.store, own, "answer") })
	begins(b.T, b.store, freed, backend.Claimed)
	takes(1, "a release", func() { kept(b.store.Release(ctx, freed.ID, freed.Token)) })
	begins(b.T, b.store, held, backend.Claimed)
	takes(1, "a hold", func() { kept(b.store.Hold(ctx, held.ID, held.Token, "note")) })
	takes(want.told, "a held record", func() { begins(b.T, b.store, again(held), backend.Held) })
	begins(b.T, b.store, hold, backend.Claimed)
	begins(b.T, b.store, lapsed, backend.Claimed)
	b.run(b, b.db, `UPDATE {t} SET lease_until = 1 WHERE state = 1`)
	takes(want.over, "an abandoned claim", func() { begins(b.T, b.store, again(hold), backend.Held) })
	takes(want.over, "a takeover", func() { begins(b.T, b.store, again(lapsed), backend.Claimed) })
	tx := claimOf(key + " tx")
	takes(want.tx, "a transaction with one statement of its own", func() {
		inTx(b.T, b.store, tx, func(ctx context.Context, own *sqlx.Tx, s backend.TxStore) error {
			if _, err := own.ExecContext(ctx, b.sql(`INSERT INTO {t}_effects VALUES (1)`)); err != nil {
				return err
			}
			return answering(tx, "answer")(ctx, own, s)
		}, backend.Claimed)
	})
	takes(want.replay, "a replay in a transaction", func() { inTx(b.T, b.store, again(tx), mustNotRun(b.T), backend.Replay) })
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	// BEGIN, claim, the effect, complete, COMMIT; BEGIN, claim, ROLLBACK
	onPostgres := trips{over: 2, told: 1, tx: 5, replay: 3, again: 2}
	// look, SET TRANSACTION, START TRANSACTION, and the same four; look
	onMariaDB := trips{over: 2, told: 1, tx: 7, replay: 1, again: 2}
	// a claim returns no row, so what is not a first claim is read; a transaction locks before it claims
	onMySQL8 := trips{over: 3, told: 2, tx: 8, replay: 1, again: 2}
	for _, row := range []struct {
		via          *via
		param, value string
		want         trips
	}{
		{viaPGX, "default_query_exec_mode", "cache_statement", onPostgres},
		{viaPGX, "default_query_exec_mode", "cache_describe", onPostgres},
		{viaPGX, "default_query_exec_mode", "simple_protocol", onPostgres},
		{viaPGX, "default_query_exec_mode", "exec", onPostgres},
		{viaPQ, "application_name", "itest", onPostgres},
		{viaMySQL, "parseTime", "false", onMariaDB},
		{viaMySQL, "interpolateParams", "true", onMariaDB},
		{viaMySQL, "clientFoundRows", "true", onMariaDB},
		{viaMySQL8, "parseTime", "false", onMySQL8},
		{viaMySQL8, "interpolateParams", "true", onMySQL8},
		{viaMySQL8, "clientFoundRows", "true", onMySQL8},
	} {
		t.Run(row.via.name+", "+row.param+"="+row.value, func(t *testing.T) {
			t.Parallel()
			b := row.via.fresh(t, row.via).with(row.param, row.value).bench(t)
			b.walk("prepares", false, row.want)
			b.walk("counts", true, row.want)
		})
	}
}

// What a pooler in transaction mode asks for: nothing prepared, and all of a statement in one message.
func TestWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	b := viaPQ.fresh(t, viaPQ).with("binary_parameters", "yes").bench(t)
	store, err := sqlbackend.New(t.Context(), b.db, b.via.dialect(), sqlbackend.WithoutPrepare())
	require.NoError(t, err)
	b.store = store
	b.walk("counts", true, trips{over: 2, told: 1, tx: 5, replay: 3, again: 2})
}

func TestOnlyPostgresTakesWithoutPrepare(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, _, err := p.try(t, sqlbackend.WithoutPrepare())
		if p.family() != postgres {
			require.ErrorContains(t, err, "option WithoutPrepare")
			return
		}
		require.NoError(t, err)
	})
}
