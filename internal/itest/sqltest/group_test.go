package sqltest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/internal/together"
)

// Whatever a store with GroupCommit is asked here goes the shared way, also where it is asked alone.
func init() { together.Always = true }

// grouped has the stores of a setup share statements.
func (s setup) grouped() setup {
	by := s.by
	s.by = func(t testing.TB, p *place) *place {
		if by != nil {
			p = by(t, p)
		}
		other := *p
		other.own = append([]sqlbackend.Option{sqlbackend.GroupCommit()}, p.own...)
		return &other
	}
	return s
}

// groupedSetups are one or two of each driver: what the others add has nothing to do with what is shared.
func groupedSetups() (some []setup) {
	for _, s := range setups {
		if strings.Contains(s.name, "a pool of 20") && !strings.Contains(s.name, "mysql 8") {
			some = append(some, s.grouped())
		}
	}
	return some
}

func TestStoreKeepsTheContractTogether(t *testing.T) {
	everySetupOf(t, groupedSetups(), func(t *testing.T, harness func(*testing.T) backendtest.TxHarness[*sqlx.Tx]) {
		backendtest.Run(t, func(rule *testing.T) backendtest.Harness { return harness(rule).Harness })
	})
}

func TestTransactorKeepsTheContractBesideWhatIsShared(t *testing.T) {
	everySetupOf(t, groupedSetups(), func(t *testing.T, harness func(*testing.T) backendtest.TxHarness[*sqlx.Tx]) {
		backendtest.RunTransactor(t, harness)
	})
}

// What goes the shared way takes no more round trips than alone: whatever had to be done again would take two.
func TestRoundTripsTogether(t *testing.T) {
	each(t, func(v *via) bool { return v != viaMySQL8 && v.serves }, func(t *testing.T, p *place) {
		p.own = append(p.own, sqlbackend.GroupCommit())
		b := p.bench(t)
		want := trips{over: 3, told: 1, tx: 5, replay: 3, again: 3}
		if p.family() == mariadb {
			want.tx, want.replay = 7, 1
		}
		b.walk("prepares", false, want)
		b.walk("counts", true, want)
	})
}

// shared opens the place with stores that share statements, through so many connections.
func (p *place) shared(t *testing.T, conns int) (*sqlx.DB, *sqlbackend.Store) {
	t.Helper()
	other := *p.of(conns)
	other.own = append([]sqlbackend.Option{sqlbackend.GroupCommit()}, p.own...)
	return other.open(t)
}

// crowd has so many callers do f at the same time, and fails with their errors.
func crowd(t *testing.T, callers int, f func(caller int) error) {
	t.Helper()
	var group sync.WaitGroup
	begin := make(chan struct{})
	for caller := range callers {
		group.Go(func() {
			<-begin
			if err := f(caller); err != nil {
				t.Errorf("caller %d: %v", caller, err)
			}
		})
	}
	close(begin)
	group.Wait()
}

// runs makes a first run and a replay, whose answer is the caller's own.
func runs(ctx context.Context, s backend.Store, c backend.Claim) error {
	g, err := s.Begin(ctx, c)
	if err != nil || g.Verdict != backend.Claimed || g.Attempt != 1 {
		return fmt.Errorf("claim: %+v, %w", g, err)
	}
	g, err = s.Renew(ctx, c.ID, c.Token, backend.Renewal{Lease: time.Minute, Retention: time.Hour, Note: c.Key})
	if err != nil || g.Verdict != backend.Kept {
		return fmt.Errorf("renew: %+v, %w", g, err)
	}
	g, err = s.Complete(ctx, c.ID, c.Token, completionOf(c, c.Key))
	if err != nil || g.Verdict != backend.Kept {
		return fmt.Errorf("complete: %+v, %w", g, err)
	}
	g, err = s.Begin(ctx, again(c))
	if err != nil || g.Verdict != backend.Replay || string(g.Answer) != c.Key {
		return fmt.Errorf("replay: %+v, %w", g, err)
	}
	return nil
}

// gaveUp makes a first run that is given up.
func gaveUp(ctx context.Context, s backend.Store, c backend.Claim, held bool) error {
	if g, err := s.Begin(ctx, c); err != nil || g.Verdict != backend.Claimed {
		return fmt.Errorf("claim: %+v, %w", g, err)
	}
	give, want := func() (backend.Grant, error) { return s.Release(ctx, c.ID, c.Token) }, backend.Claimed
	if held {
		give, want = func() (backend.Grant, error) { return s.Hold(ctx, c.ID, c.Token, c.Key) }, backend.Held
	}
	if g, err := give(); err != nil || g.Verdict != backend.Kept {
		return fmt.Errorf("give up: %+v, %w", g, err)
	}
	if g, err := s.Begin(ctx, again(c)); err != nil || g.Verdict != want {
		return fmt.Errorf("after it: %+v, %w", g, err)
	}
	return nil
}

// odd are keys that an array of texts could garble.
var odd = []string{`"`, `\`, `\"`, `{}`, `,`, `NULL`, ``, ` `, "a\nb", `'`, `é`, `$1`, `?`}

func TestWhatIsSharedIsEachCallersOwn(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.shared(t, 8)
		crowd(t, 40, func(caller int) error {
			for round := range 6 {
				c := claimOf(fmt.Sprintf("%d of %d %s", round, caller, odd[caller%len(odd)]))
				c.Hold = caller%3 == 0
				err := runs(t.Context(), store, c)
				if caller%4 > 1 {
					err = gaveUp(t.Context(), store, claimOf("given up "+c.Key), caller%4 == 2)
				}
				if err != nil {
					return err
				}
				if caller%4 < 2 {
					shown, err := store.Lookup(t.Context(), c.ID)
					if err != nil || shown.Key != c.Key || shown.User != c.User || shown.Guard != c.Guard || shown.Note != c.Key {
						return fmt.Errorf("%+v, %w", shown, err)
					}
				}
			}
			return nil
		})
	})
}

func TestOfManyThatAskTogetherForOneRecordOneClaims(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		p.own = append(p.own, sqlbackend.GroupCommit())
		race(t, p.of(10).two(t), 30)
	})
}

// What cannot be done for one is its own caller's error, and nobody else's.
func TestAPoisonedRowHitsItsOwnerOnly(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.shared(t, 8)
		broken := claimOf("broken")
		begins(t, store, broken, backend.Claimed)
		p.run(t, db, `UPDATE {t} SET attempt = 0`)
		refused := strings.Repeat("\x00", 300) // no text in PostgreSQL, too long on MariaDB
		var failed atomic.Int32
		crowd(t, 24, func(caller int) error {
			for round := range 10 {
				switch c := claimOf(fmt.Sprintf("%d of %d", round, caller)); caller {
				case 0:
					if _, err := store.Begin(t.Context(), again(broken)); !errors.Is(err, backend.ErrCorrupt) {
						return fmt.Errorf("broken: %w", err)
					}
				case 1:
					c.Key = refused
					if _, err := store.Begin(t.Context(), c); err != nil {
						failed.Add(1)
					}
				default:
					if err := runs(t.Context(), store, c); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if p.family().serves {
			require.EqualValues(t, 10, failed.Load())
		}
	})
}

// A release waits for the claim before it where that is shared. By itself, as on MySQL, a claim that was cut off in the network
// may still come after its release, and blocks its record for a lease.
func TestWhoLeavesHarmsNobodyElse(t *testing.T) {
	each(t, func(v *via) bool { return v != viaMySQL8 }, func(t *testing.T, p *place) {
		_, store := p.shared(t, 8)
		var left atomic.Int32
		claims := make(chan backend.Claim, 1000)
		crowd(t, 24, func(caller int) error {
			for round := range 10 {
				c := claimOf(fmt.Sprintf("%d of %d", round, caller))
				if caller%4 > 0 {
					if err := runs(t.Context(), store, c); err != nil {
						return err
					}
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round*round)*50*time.Microsecond)
				if runs(ctx, store, c) != nil {
					left.Add(1)
				}
				cancel()
				if _, err := store.Release(t.Context(), c.ID, c.Token); err != nil {
					return err
				}
				claims <- c
			}
			return nil
		})
		require.NotZero(t, left.Load())
		close(claims)
		for c := range claims { // released, or done
			g, err := store.Begin(t.Context(), again(c))
			require.NoError(t, err)
			require.Contains(t, []backend.Verdict{backend.Claimed, backend.Replay}, g.Verdict, "a claim that nobody runs blocks its record")
		}
	})
}

// locks is an open transaction that has written to every record, and has made the record of a claim.
func (p *place) locks(t *testing.T, db *sqlx.DB, made backend.Claim) *sqlx.Tx {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() }) // in case
	_, err = tx.ExecContext(t.Context(), p.sql(`UPDATE {t} SET attempt = 2`))
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), p.sql(`INSERT INTO {t} (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, note)
VALUES (?, ?, ?, 1, 0, 1, 1, 1, 1, '')`), made.ID[:], made.Token[:], made.Fingerprint[:])
	require.NoError(t, err)
	return tx
}

// Somebody's open transaction holds up who asks for its rows, and nobody who asks for others in the same moment.
func TestALockedRowHoldsUpItsOwnCallersOnly(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		db, store := p.shared(t, 12)
		started, wanted := claimOf("started"), claimOf("wanted")
		begins(t, store, started, backend.Claimed)
		tx := p.locks(t, db, wanted)

		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var held sync.WaitGroup
		held.Go(func() {
			for ctx.Err() == nil { // so that it is among others again and again
				short, cancel := context.WithTimeout(ctx, time.Second)
				if g, err := store.Begin(short, wanted); err == nil && g.Verdict != backend.InFlight {
					t.Errorf("it was claimed under a lock: %+v", g)
				}
				cancel()
			}
		})
		held.Go(func() {
			for ctx.Err() == nil {
				short, cancel := context.WithTimeout(ctx, time.Second)
				g, err := store.Complete(short, started.ID, started.Token, completionOf(started, "answer"))
				cancel()
				if err == nil {
					t.Errorf("it was completed under a lock: %+v", g)
				}
			}
		})
		crowd(t, 8, func(caller int) error {
			for round := range 20 {
				began := time.Now()
				if err := runs(ctx, store, claimOf(fmt.Sprintf("%d of %d", round, caller))); err != nil {
					return err
				}
				if took := time.Since(began); took > 4*time.Second {
					return fmt.Errorf("it took %v", took)
				}
			}
			return nil
		})
		leave()
		held.Wait()
		require.NoError(t, tx.Rollback())
		begins(t, store, wanted, backend.Claimed)
		completes(t, store, started, "answer")
	})
}

// Whoever waits for a lock waits in a statement of its own, where nobody else is.
func TestOnPostgresNothingSharedWaitsForALock(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.shared(t, 6)
		started, wanted := claimOf("started"), claimOf("wanted")
		begins(t, store, started, backend.Claimed)
		tx := p.locks(t, db, wanted)
		var blocker int
		require.NoError(t, tx.GetContext(t.Context(), &blocker, `SELECT pg_backend_pid()`))

		var held sync.WaitGroup
		held.Go(func() { begins(t, store, wanted, backend.Claimed) })
		held.Go(func() { completes(t, store, started, "answer") })
		require.Eventually(t, func() bool { // sooner than a shared statement is given up
			var alone int
			err := db.GetContext(t.Context(), &alone, `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)) AND query NOT LIKE 'WITH asked%'`, blocker)
			return err == nil && alone == 2
		}, 4*time.Second, 10*time.Millisecond)
		require.NoError(t, tx.Rollback())
		held.Wait()
	})
}

func TestAReplayThatIsLargeIsNotShared(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.shared(t, 4)
		for size := range map[int]bool{16 << 10: true, 16<<10 + 1: true, 1 << 20: true, 0: true} {
			c := claimOf(fmt.Sprint(size))
			begins(t, store, c, backend.Claimed)
			answer := strings.Repeat("a", size)
			completes(t, store, c, answer)
			got := begins(t, store, again(c), backend.Replay).Answer
			require.Equal(t, answer, string(got))
		}
	})
}

// Who waits is told of an end that was shared.
func TestASharedEndIsNotified(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		_, store := p.shared(t, 4)
		for name, end := range map[string]func(c backend.Claim) (backend.Grant, error){
			"complete": func(c backend.Claim) (backend.Grant, error) {
				return store.Complete(t.Context(), c.ID, c.Token, completionOf(c, "answer"))
			},
			"release": func(c backend.Claim) (backend.Grant, error) { return store.Release(t.Context(), c.ID, c.Token) },
			"hold":    func(c backend.Claim) (backend.Grant, error) { return store.Hold(t.Context(), c.ID, c.Token, "") },
		} {
			c := claimOf(name)
			begins(t, store, c, backend.Claimed)
			var ended <-chan struct{}
			var stop func()
			require.Eventually(t, func() bool { // the first one has the listener connect
				var err error
				ended, stop, err = store.Watch(t.Context(), c.ID)
				return err == nil
			}, 20*time.Second, 5*time.Millisecond)
			_, err := end(c)
			require.NoError(t, err)
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Errorf("%s: nobody was told", name)
			}
			stop()
		}
	})
}

func TestOnMySQLNothingIsShared(t *testing.T) {
	t.Parallel()
	p := viaMySQL8.fresh(t, viaMySQL8)
	p.own = append(p.own, sqlbackend.GroupCommit())
	b := p.bench(t)
	b.walk("prepares", false, trips{})
	b.walk("counts", true, trips{over: 3, told: 2, tx: 8, replay: 1, again: 2})
}

// What several write in one transaction is one commit, and one that fails does not undo the others.
func TestOnSQLiteWhatIsSharedIsOneCommit(t *testing.T) {
	t.Parallel()
	p := viaSQLite.fresh(t, viaSQLite)
	p.own = append(p.own, sqlbackend.GroupCommit())
	_, store, tap := p.tapped(t)
	c := claimOf("key")
	var commits atomic.Int32
	count := func() { commits.Add(1) }
	tap.before.Store(&count)
	begins(t, store, c, backend.Claimed)
	require.EqualValues(t, 1, commits.Load(), "a claim")
	tap.before.Store(&count)
	begins(t, store, again(c), backend.InFlight)
	require.EqualValues(t, 1, commits.Load(), "what only reads")
	completes(t, store, c, "answer")
	require.EqualValues(t, 2, commits.Load(), "a completion")
	tap.commit.Store(new(func(tx driver.Tx) error { return errors.Join(tx.Rollback(), errors.New("the disk is full")) }))
	other := claimOf("other")
	begins(t, store, other, backend.Claimed) // again, alone
	begins(t, store, again(other), backend.InFlight)
}
