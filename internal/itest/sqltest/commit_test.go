package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

func TestACommitWithoutAnswerIsSettled(t *testing.T) {
	lost := errors.New("the answer was lost")
	each(t, everywhere, func(t *testing.T, p *place) {
		for name, test := range map[string]struct {
			commit func(driver.Tx) error
			want   backend.Verdict
		}{
			"it took effect":    {func(tx driver.Tx) error { return errors.Join(tx.Commit(), lost) }, backend.Kept},
			"it was not to be":  {func(tx driver.Tx) error { return errors.Join(tx.Rollback(), lost) }, backend.Lost},
			"with a bad socket": {func(tx driver.Tx) error { return errors.Join(tx.Commit(), driver.ErrBadConn) }, backend.Kept},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				_, store, tap := p.via.fresh(t, p.via).tapped(t)
				tap.commit.Store(&test.commit)
				settles(t, store, test.want)
			})
		}
	})
}

func TestACommitThatTheNetworkLostIsSettled(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		for name, test := range map[string]struct {
			how  lostAck
			want backend.Verdict
		}{
			"it was carried out": {cutAfter, backend.Kept},
			"it never arrived":   {cutBefore, backend.Lost},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				_, store, tap := p.via.fresh(t, p.via).tapped(t)
				tap.cut.Store(&test.how)
				settles(t, store, test.want)
				require.Nil(t, tap.cut.Load(), "no COMMIT came by")
			})
		}
	})
}

func settles(t *testing.T, store *sqlbackend.Store, want backend.Verdict) {
	t.Helper()
	c := claimOf("key")
	_, err := store.InTx(t.Context(), c, answering(c, "answer"))
	require.ErrorIs(t, err, backend.ErrCommitUnknown)
	g, err := store.Settle(t.Context(), c.ID, c.Token)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	if want == backend.Kept {
		require.Equal(t, []byte("answer"), g.Answer)
	}
}

func TestSettleWaitsForTheTransaction(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		var opts []sqlbackend.OpenOption
		if !p.family().serves {
			opts = append(opts, sqlite.BusyTimeout(time.Millisecond))
		}
		db, other := p.open(t)
		_, store := p.open(t, opts...)
		tx, joined := p.joins(t, db, other)
		c := claimOf("key")
		begins(t, joined, c, backend.Claimed)
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := store.Settle(short, c.ID, c.Token)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		settled := make(chan backend.Verdict)
		go func() {
			g, err := store.Settle(t.Context(), c.ID, c.Token)
			if err != nil {
				t.Error(err)
			}
			settled <- g.Verdict
		}()
		require.NoError(t, tx.Commit())
		require.Equal(t, backend.Kept, <-settled)
	})
}

func TestACommitThatTheDatabaseRefusedIsNoLostOne(t *testing.T) {
	each(t, standardSQL, func(t *testing.T, p *place) {
		db, store := p.open(t)
		p.run(t, db, `CREATE TABLE {t}_a (id INTEGER PRIMARY KEY)`)
		p.run(t, db, `CREATE TABLE {t}_b (a INTEGER REFERENCES {t}_a DEFERRABLE INITIALLY DEFERRED)`)
		refused := map[string]func(context.Context, *sqlx.Tx) error{
			"a constraint that is checked at the end": func(ctx context.Context, tx *sqlx.Tx) error {
				_, err := tx.ExecContext(ctx, p.sql(`INSERT INTO {t}_b VALUES (1)`))
				return err
			},
		}
		if p.family() == postgres {
			refused["a transaction that had failed before"] = func(ctx context.Context, tx *sqlx.Tx) error {
				_, err := tx.ExecContext(ctx, `SELECT 1 / 0`)
				require.Error(t, err)
				return nil
			}
		}
		for name, run := range refused {
			c := claimOf(name)
			_, err := store.InTx(t.Context(), c, func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error { return run(ctx, tx) })
			require.Error(t, err, name)
			if p.family() == sqliteFamily {
				require.ErrorContains(t, err, "FOREIGN KEY")
			}
			require.NotErrorIs(t, err, backend.ErrCommitUnknown, name)
			require.NotErrorIs(t, err, backend.ErrUnknownUser, name)
			inTx(t, store, c, answering(c, "answer"), backend.Claimed)
		}
	})
}

func TestATransactionThatRunEndedIsAnError(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.open(t)
		c := claimOf("key")
		_, err := store.InTx(t.Context(), c, func(_ context.Context, tx *sqlx.Tx, _ backend.TxStore) error { return tx.Rollback() })
		require.ErrorIs(t, err, sql.ErrTxDone)
		require.NotErrorIs(t, err, backend.ErrCommitUnknown)
		inTx(t, store, c, answering(c, "answer"), backend.Claimed)
	})
}
