package sqltest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

// two opens the place twice, as two processes would.
func (p *place) two(t *testing.T) [2]*sqlbackend.Store {
	t.Helper()
	var patient []sqlbackend.OpenOption
	if !p.family().serves {
		patient = append(patient, sqlite.BusyTimeout(time.Minute))
	}
	_, first := p.open(t, patient...)
	_, second := p.open(t, patient...)
	return [2]*sqlbackend.Store{first, second}
}

// race has twenty goroutines begin each record, on two stores, and counts who won.
func race(t *testing.T, stores [2]*sqlbackend.Store, rounds int) {
	t.Helper()
	for round := range rounds {
		c := claimOf(strconv.Itoa(round))
		var claimed, inFlight atomic.Int32
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				g, err := stores[i%2].Begin(t.Context(), again(c))
				switch {
				case err != nil:
					t.Error(err)
				case g.Verdict == backend.Claimed:
					claimed.Add(1)
				case g.Verdict == backend.InFlight:
					inFlight.Add(1)
				}
			})
		}
		group.Wait()
		require.Equal(t, []int32{1, 19}, []int32{claimed.Load(), inFlight.Load()}, "round %d", round)
	}
}

func TestOfTwentyGoroutinesOneClaims(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) { race(t, p.of(10).two(t), 100) })
}

func TestOfTwentyGoroutinesOneClaimsWhereFoundRowsAreCounted(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, p *place) { race(t, p.of(10).with("clientFoundRows", "true").two(t), 50) })
}

func TestAnyDefaultIsolationWillDo(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		for _, level := range []string{"serializable", "repeatable read"} {
			t.Run(level, func(t *testing.T) {
				t.Parallel()
				p := p.via.fresh(t, p.via).with("default_transaction_isolation", level)
				stores := p.two(t)
				race(t, stores, 30)
				storesOwn(t, stores)
				var level string
				inTx(t, stores[0], claimOf("tx"), func(ctx context.Context, tx *sqlx.Tx, _ backend.TxStore) error {
					return tx.GetContext(ctx, &level, `SHOW transaction_isolation`)
				}, backend.Claimed)
				require.Equal(t, "read committed", level)
				db, _ := p.open(t)
				require.Equal(t, 100, p.count(t, db, "state = 2"))
			})
		}
	})
}

// storesOwn has twenty goroutines claim and complete five records each, at once.
func storesOwn(t *testing.T, stores [2]*sqlbackend.Store) {
	t.Helper()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for n := range 5 {
				c := claimOf(fmt.Sprint("own ", i, n))
				g, err := stores[0].Begin(t.Context(), c)
				if err == nil && g.Verdict == backend.Claimed {
					_, err = stores[1].Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestTransactionsWithOneKeyRunOnce(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		db, store := p.of(10).open(t)
		p.run(t, db, `CREATE TABLE {t}_effects (n INTEGER)`)
		for round := range 25 {
			c := claimOf(fmt.Sprint(round))
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					mine := again(c)
					_, err := store.InTx(t.Context(), mine, func(ctx context.Context, tx *sqlx.Tx, joined backend.TxStore) error {
						if _, err := tx.ExecContext(ctx, p.sql(`INSERT INTO {t}_effects VALUES (1)`)); err != nil {
							return err
						}
						return answering(mine, "answer")(ctx, tx, joined)
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			require.Equal(t, round+1, p.number(t, db, `SELECT count(*) FROM {t}_effects`))
		}
	})
}
