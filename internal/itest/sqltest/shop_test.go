package sqltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// prompt is half of what the rarest poll takes: an answer that comes sooner, time after time, was told.
const prompt = 500 * time.Millisecond

// shop is a process that waits for others: a pool, whose connections have a name of their own, and a guard.
type shop struct {
	*place
	t     *testing.T
	name  string
	db    *sqlx.DB
	store *sqlbackend.Store
	guard *idem.Guard
}

func (p *place) shop(t *testing.T, guarantee idem.Guarantee, opts ...sqlbackend.OpenOption) *shop {
	t.Helper()
	s := &shop{place: p, t: t, name: fmt.Sprintf("shop %d %d", os.Getpid(), schemas.Add(1))}
	s.db, s.store = p.with("application_name", s.name).open(t, opts...)
	guard, err := idem.New("guard", s.store, guarantee)
	require.NoError(t, err)
	s.guard = guard
	return s
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 20*time.Second, 2*time.Millisecond, what)
}

// listeners returns the server's processes on which somebody of that name listens.
func (s *shop) listeners(name string) (pids []int) {
	s.t.Helper()
	require.NoError(s.t, s.db.SelectContext(s.t.Context(), &pids,
		`SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query ILIKE 'listen%' ORDER BY pid`, name))
	return pids
}

// watches waits until the end of a record can be told, and marks it.
func watches(t *testing.T, store *sqlbackend.Store, c backend.Claim) {
	t.Helper()
	eventually(t, "a watch", func() bool {
		_, stop, err := store.Watch(t.Context(), c.ID)
		if err == nil {
			stop()
		}
		return err == nil
	})
}

// listens waits until the shop is told of what it waits for.
func (s *shop) listens() {
	s.t.Helper()
	c := claimOf("to be told of")
	g, err := s.store.Begin(s.t.Context(), c)
	require.NoError(s.t, err)
	require.Contains(s.t, []backend.Verdict{backend.Claimed, backend.InFlight}, g.Verdict)
	watches(s.t, s.store, c)
}

// marked waits until so many orders are waited for.
func (s *shop) marked(n int) {
	s.t.Helper()
	eventually(s.t, "marks", func() bool { return s.count(s.t, s.db, "waited = 1 AND state = 1 AND key_text LIKE 'order%'") == n })
}

// waits makes the call of an order that another one makes, and sends when it was answered.
func (s *shop) waits(key idem.Key) <-chan time.Time {
	told := make(chan time.Time, 1)
	go func() {
		answer, err := idem.Do(s.t.Context(), s.guard, key, "user", "request", func(context.Context, string) (string, error) {
			return "", errors.New("it ran again")
		}, idem.Wait(time.Minute))
		if err != nil || answer != "answer" {
			s.t.Errorf("a waiter got %q, %v", answer, err)
		}
		told <- time.Now()
	}()
	return told
}

// order is a call of a shop that is under way until it is finished.
type order struct {
	key    idem.Key
	finish func()
	ended  chan error
}

func (s *shop) order(key idem.Key) *order {
	began, goOn := make(chan struct{}), make(chan struct{})
	o := &order{key: key, finish: sync.OnceFunc(func() { close(goOn) }), ended: make(chan error, 1)}
	go func() {
		_, err := idem.Do(s.t.Context(), s.guard, key, "user", "request", func(context.Context, string) (string, error) {
			close(began)
			<-goOn
			return "answer", nil
		})
		o.ended <- err
	}()
	<-began
	return o
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
