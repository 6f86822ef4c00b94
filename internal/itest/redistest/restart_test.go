package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// What a server without persistence forgets in a crash is gone: the owner loses its claim, and is told.
func TestARestartWithoutPersistenceLosesTheClaim(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	store, c := on.storage().open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	on.kill()
	on.start()
	completes(t, store, c, "answer", backend.Lost)
	begins(t, store, again(c), backend.Claimed)
}

func TestARestartWithoutPersistenceEndsInErrLeaseLost(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	guard, err := idem.New("guard", on.storage().open(t))
	require.NoError(t, err)
	runs := 0
	pay := func(context.Context, int) (string, error) {
		if runs++; runs == 1 {
			on.kill()
			on.start()
		}
		return "paid", nil
	}
	_, err = idem.Do(t.Context(), guard, "key", "user", 5, pay)
	require.ErrorIs(t, err, idem.ErrLeaseLost)
	got, err := idem.Do(t.Context(), guard, "key", "user", 5, pay)
	require.NoError(t, err)
	require.Equal(t, "paid", got)
	require.Equal(t, 2, runs)
}

// With an append-only file that is synced at every write, a crash loses nothing that was acknowledged.
func TestARestartWithAnAppendOnlyFileKeepsEverything(t *testing.T) {
	t.Parallel()
	on := startServer(t, "--appendonly", "yes", "--appendfsync", "always")
	store := on.storage().open(t)
	done, running, held, hold := claimOf("done"), claimOf("running"), claimOf("held"), holding(claimOf("hold"))
	for _, c := range []backend.Claim{done, running, held, hold} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer", backend.Kept)
	answers(t, backend.Kept)(store.Hold(t.Context(), held.ID, held.Token, "note"))
	on.kill()
	on.start()
	require.Equal(t, "answer", string(begins(t, store, again(done), backend.Replay).Answer))
	begins(t, store, again(running), backend.InFlight)
	begins(t, store, again(hold), backend.InFlight)
	begins(t, store, again(held), backend.Held)
	answers(t, backend.Kept)(store.Renew(t.Context(), running.ID, running.Token, renewal("")))
	completes(t, store, running, "answer", backend.Kept)
	for c, expires := range map[*backend.Claim]bool{&done: true, &running: true, &held: false, &hold: false} {
		shown, err := store.Lookup(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, expires, shown.ExpiresIn > 0, c.Key)
	}
}

// losing has the server's answer to the next command get lost that w's connections send.
func (w *wire) losing() {
	lose := func(c *wiredConn, _ []byte) bool {
		w.hit.Store(nil)
		c.lose.Store(true)
		return false
	}
	w.hit.Store(&lose)
}

// cutting has the connection end before the next command is sent.
func (w *wire) cutting() {
	cut := func(*wiredConn, []byte) bool {
		w.hit.Store(nil)
		return true
	}
	w.hit.Store(&cut)
}

// A driver that has no answer sends again: the second call answers as the first one did.
func TestACommandThatIsSentAgainAnswersAsTheFirst(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*wire){"its answer lost": (*wire).losing, "never sent": (*wire).cutting} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			store, ctx := s.open(t), t.Context()
			own, freed, held := claimOf("own"), claimOf("freed"), claimOf("held")
			fault(s.wire)
			require.Equal(t, 1, begins(t, store, own, backend.Claimed).Attempt)
			fault(s.wire)
			answers(t, backend.Kept)(store.Renew(ctx, own.ID, own.Token, renewal("")))
			fault(s.wire)
			completes(t, store, own, "answer", backend.Kept)
			require.Equal(t, "answer", string(begins(t, store, again(own), backend.Replay).Answer))
			begins(t, store, held, backend.Claimed)
			fault(s.wire)
			answers(t, backend.Kept)(store.Hold(ctx, held.ID, held.Token, "note"))
			begins(t, store, freed, backend.Claimed)
			fault(s.wire)
			g, err := store.Release(ctx, freed.ID, freed.Token)
			require.NoError(t, err)
			if name == "never sent" {
				require.Equal(t, backend.Kept, g.Verdict)
			} else {
				require.Equal(t, backend.Lost, g.Verdict, "a release that is sent again finds nothing, as the contract says")
			}
			begins(t, store, again(freed), backend.Claimed)
		})
	}
}

func TestADeadlineEndsACallThatWaits(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	s := on.storage()
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	require.NoError(t, s.own.Do(t.Context(), "CLIENT", "PAUSE", 60_000, "ALL").Err())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := store.Begin(ctx, again(c))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 2*time.Second)
	on.kill() // what follows would wait for the end of the pause
}

// Expiry follows the server's clock alone, and the server forgets by itself.
func TestTheServerForgetsByItself(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	short := completion(c, "answer")
	short.Retention = 50 * time.Millisecond
	answers(t, backend.Kept)(store.Complete(t.Context(), c.ID, c.Token, short))
	require.Eventually(t, func() bool {
		return s.own.Exists(t.Context(), s.key(c.ID)).Val() == 0
	}, patience, 5*time.Millisecond)
	require.Equal(t, 1, begins(t, store, again(c), backend.Claimed).Attempt)
	require.Greater(t, s.own.PTTL(t.Context(), s.key(c.ID)).Val(), c.Lease+c.Retention-time.Minute)
}
