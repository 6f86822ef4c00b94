package sqltest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func TestAWaiterInAnotherProcessIsTold(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		here, there := p.shop(t, idem.Rerun), p.shop(t, idem.Rerun)
		there.listens()
		var took []time.Duration
		for i := range 9 {
			o := here.order(idem.Key(fmt.Sprint("order ", i)))
			told := there.waits(o.key)
			there.marked(1)
			began := time.Now()
			o.finish()
			took = append(took, (<-told).Sub(began))
			require.NoError(t, <-o.ended)
		}
		m := median(took)
		t.Logf("from the end to the waiter's answer: median %v, longest %v", m, took[len(took)-1])
		require.Less(t, m, prompt)
	})
}

func TestWaitersAreToldOfTheRunThatFollowsAFailure(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		began, goOn := make(chan struct{}, 10), make(chan error)
		do := func(s *shop, opts ...idem.CallOption) (string, error) {
			return idem.Do(t.Context(), s.guard, "order", "user", "request", func(context.Context, string) (string, error) {
				began <- struct{}{}
				return "answer", <-goOn
			}, opts...)
		}
		here, failed := p.shop(t, idem.Rerun), make(chan error)
		go func() {
			_, err := do(here)
			failed <- err
		}()
		<-began
		var waiters sync.WaitGroup
		for range 3 {
			s := p.shop(t, idem.Rerun)
			s.listens()
			waiters.Go(func() {
				if answer, err := do(s, idem.Wait(time.Minute)); err != nil || answer != "answer" {
					t.Errorf("a waiter got %q, %v", answer, err)
				}
			})
		}
		here.marked(1)
		goOn <- errors.New("declined")
		require.Error(t, <-failed)
		<-began // one of the three runs, and its claim is another one
		here.marked(1)
		goOn <- nil
		waiters.Wait()
		require.Empty(t, began)
	})
}

func TestFiveHundredWaitersShareOneConnection(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		here, there := p.of(20).shop(t, idem.Rerun), p.of(5).shop(t, idem.Rerun)
		require.Empty(t, here.listeners(there.name), "nobody waits")
		there.listens()
		var orders []*order
		for i := range 50 {
			orders = append(orders, here.order(idem.Key(fmt.Sprint("order ", i))))
		}
		var told []<-chan time.Time
		for i := range 500 {
			told = append(told, there.waits(orders[i%50].key))
		}
		there.marked(50)
		require.Len(t, here.listeners(there.name), 1)
		require.Empty(t, here.listeners(here.name), "who does not wait does not listen")
		for _, o := range orders {
			o.finish()
			require.NoError(t, <-o.ended)
		}
		for _, c := range told {
			<-c
		}
		require.NoError(t, there.db.Close())
		eventually(t, "it ends with the pool", func() bool { return len(here.listeners(there.name)) == 0 })
	})
}

func TestAListenerThatIsTerminatedComesBack(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		here, there := p.shop(t, idem.Rerun), p.shop(t, idem.Rerun)
		there.listens()
		o := here.order("order")
		told := there.waits(o.key)
		there.marked(1)
		before := here.listeners(there.name)
		require.Len(t, before, 1)
		require.Equal(t, 1, p.number(t, here.db, fmt.Sprintf(`SELECT pg_terminate_backend(%d)::int`, before[0])))
		eventually(t, "another connection", func() bool {
			now := here.listeners(there.name)
			return len(now) == 1 && now[0] != before[0]
		})
		there.listens()
		o.finish()
		require.NoError(t, <-o.ended)
		<-told
	})
}

// watched tells when a watch was tried.
type watched struct {
	*sqlbackend.Store
	tried chan error
}

func (s watched) Watch(ctx context.Context, id backend.ID) (<-chan struct{}, func(), error) {
	changed, stop, err := s.Store.Watch(ctx, id)
	s.tried <- err
	return changed, stop, err
}

// A transaction's claim cannot be seen, so nobody can mark it: its waiters must go on asking often.
func TestWaitersForATransactionPoll(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		here, there := p.shop(t, idem.Tx), p.shop(t, idem.Tx)
		there.listens()
		tried := make(chan error, 1000)
		waiting, err := idem.New("guard", watched{there.store, tried}, idem.Tx)
		require.NoError(t, err)
		do := func(g *idem.Guard, key idem.Key, f func()) error {
			_, err := idem.DoTx(t.Context(), g, key, "user", "request", func(context.Context, *sqlx.Tx, string) (string, error) {
				f()
				return "answer", nil
			}, idem.Wait(time.Minute))
			return err
		}
		var took []time.Duration
		for i := range 5 {
			key := idem.Key(fmt.Sprint("order ", i))
			began, goOn, ended, told := make(chan struct{}), make(chan struct{}), make(chan error, 1), make(chan time.Time, 1)
			go func() { ended <- do(here.guard, key, func() { close(began); <-goOn }) }()
			<-began
			go func() {
				if err := do(waiting, key, func() { t.Error("it ran again") }); err != nil {
					t.Error(err)
				}
				told <- time.Now()
			}()
			require.ErrorContains(t, <-tried, "no claim to be seen")
			at := time.Now()
			close(goOn)
			took = append(took, (<-told).Sub(at))
			require.NoError(t, <-ended)
		}
		require.Less(t, median(took), prompt)
	})
}

func TestAStoreCanDoWithoutAListener(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		_, byOption := p.open(t, p.via.without())
		_, byURL := p.with("listen", "false").open(t)
		c := claimOf("key")
		begins(t, byOption, c, backend.Claimed)
		for _, store := range []*sqlbackend.Store{byOption, byURL} {
			_, _, err := store.Watch(t.Context(), c.ID)
			require.ErrorIs(t, err, backend.ErrUnsupported)
		}
	})
}

func TestAListenerMayHaveADataSourceOfItsOwn(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		name := "direct " + p.params["search_path"]
		s := p.with("listen", "false").shop(t, idem.Rerun, p.via.on(postgresURL(p.with("application_name", name))))
		s.listens()
		require.Empty(t, s.listeners(s.name))
		require.Len(t, s.listeners(name), 1)
	})
}

// listenerFound returns what a check says of the listener.
func listenerFound(t *testing.T, store *sqlbackend.Store) string {
	t.Helper()
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	for _, f := range found {
		if f.Setting == "listener" {
			return f.Advice
		}
	}
	return ""
}

// LISTEN succeeds in any database, and in a pooler's connection. So it has to be heard before it is believed.
func TestAListenerThatHearsNothingIsReportedAndNotBelieved(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		admin, _ := p.open(t)
		name := p.params["search_path"]
		p.run(t, admin, `CREATE DATABASE `+name)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := admin.ExecContext(ctx, `DROP DATABASE `+name+` WITH (FORCE)`)
			require.NoError(t, err)
		})
		elsewhere, err := url.Parse(p.at)
		require.NoError(t, err)
		elsewhere.Path = "/" + name
		db, store := p.open(t, p.via.on(elsewhere.String()))
		require.Contains(t, listenerFound(t, store), "hears nothing")
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		_, _, err = store.Watch(t.Context(), c.ID)
		require.Error(t, err)
		require.NotErrorIs(t, err, backend.ErrUnsupported)
		require.NoError(t, db.Close())
	})
}

func TestAListenerOfTheApplicationsOwnPool(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, _ := p.open(t)
		l, err := p.via.newListener(postgresURL(p))
		require.NoError(t, err)
		store, err := sqlbackend.New(t.Context(), db, p.via.dialect(), sqlbackend.WithListener(l))
		require.NoError(t, err)
		require.Empty(t, listenerFound(t, store))
		require.NoError(t, l.Close())
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		_, _, err = store.Watch(t.Context(), c.ID)
		require.ErrorIs(t, err, backend.ErrUnsupported)

		l, err = p.via.newListener("postgres://127.0.0.1:1/nobody?sslmode=disable")
		require.NoError(t, err)
		_, store = p.open(t, sqlbackend.WithListener(l))
		require.Contains(t, listenerFound(t, store), "connection failed")
		require.NoError(t, l.Close())
	})
}

func TestNothingIsLeftOfAListener(t *testing.T) { // not parallel: it looks at all goroutines
	for _, v := range []*via{viaPGX, viaPQ} {
		t.Run(v.name, func(t *testing.T) {
			p := v.fresh(t, v)
			before := goleak.IgnoreCurrent()
			db, store := p.open(t)
			c := claimOf("key")
			begins(t, store, c, backend.Claimed)
			watches(t, store, c)
			require.NoError(t, db.Close())
			goleak.VerifyNone(t, before)
		})
	}
}
