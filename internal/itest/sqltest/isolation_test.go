package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// serializable is the setting that makes every transaction of a connection so, unless it says otherwise.
func (p *place) serializable() *place {
	if p.family() == mariadb {
		return p.with("tx_isolation", "'SERIALIZABLE'")
	}
	return p.with("default_transaction_isolation", "serializable")
}

// At SERIALIZABLE the server may choose a reader for its victim. What operators and the pruner read is then read again.
func TestReadersSurviveASerializableDefault(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		rounds := 10
		if p.via == viaPGX { // in 40 a reader is the victim once or twice; what is then done is PostgreSQL's part, not the driver's
			rounds = 40
		}
		p = p.serializable().of(8)
		db, store := p.open(t, sqlbackend.PruneStep(50), sqlbackend.PrunePause(0))
		p.fill(t, db, 50)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() { p.writes(ctx, t, db, store, i) })
		}
		var readers sync.WaitGroup
		reads := map[string]func(n int) error{
			"Lookup": func(n int) error {
				_, err := store.Lookup(t.Context(), claimOf(fmt.Sprint(n%4, "/", n%8)).ID)
				return err
			},
			"List": func(int) error {
				_, _, err := store.List(t.Context(), backend.Filter{Guard: "guard"}, backend.Cursor{}, 100)
				return err
			},
			"Prune": func(int) error {
				_, err := store.Prune(t.Context())
				return err
			},
			"ForgetUser": func(int) error {
				_, err := store.ForgetUser(t.Context(), "guard", "nobody")
				return err
			},
		}
		for name, read := range reads {
			readers.Go(func() {
				for n := range rounds {
					if err := read(n); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		readers.Wait()
		stop()
		writers.Wait()
	})
}

// writes keeps the table busy until ctx ends: claims, answers and releases of idem's, and beside them transactions of the
// application's, at the default, that read much and write a little.
func (p *place) writes(ctx context.Context, t *testing.T, db querier, store *sqlbackend.Store, i int) {
	for n := 0; ctx.Err() == nil; n++ {
		c := claimOf(fmt.Sprint(i, "/", n%8))
		if _, err := store.Begin(ctx, c); err != nil && ctx.Err() == nil {
			t.Errorf("Begin: %v", err)
		}
		if _, err := store.Release(ctx, c.ID, c.Token); err != nil && ctx.Err() == nil {
			t.Errorf("Release: %v", err)
		}
		_ = p.overlaps(ctx, db) // it loses most of the time, as it may
	}
}

type querier interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func (p *place) overlaps(ctx context.Context, db querier) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRowContext(ctx, p.sql(`SELECT count(*) FROM {t} WHERE state = 1`)).Scan(&n); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, p.sql(`UPDATE {t} SET note = 'seen' WHERE state = 3`)); err != nil {
		return err
	}
	return tx.Commit()
}
