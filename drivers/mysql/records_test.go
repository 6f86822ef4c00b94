package mysql

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func claimOf(key string) backend.Claim {
	return backend.Claim{
		ID:          backend.NewID("guard", "user", key),
		Token:       backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("request")),
		Lease:       time.Minute,
		Retention:   time.Hour,
		Guard:       "guard", User: "user", Key: key,
	}
}

// again is the claim of another attempt at the same request.
func again(c backend.Claim) backend.Claim {
	c.Token = backend.NewToken()
	return c
}

func otherRequest(c backend.Claim) backend.Claim {
	c = again(c)
	c.Fingerprint = backend.NewFingerprint([]byte("another request"))
	return c
}

func completionOf(c backend.Claim, answer string) backend.Completion {
	return backend.Completion{Fingerprint: c.Fingerprint, Answer: []byte(answer), Retention: time.Hour}
}

func begins(t *testing.T, s backend.Store, c backend.Claim, want backend.Verdict) backend.Grant {
	t.Helper()
	g, err := s.Begin(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	return g
}

func completes(t *testing.T, s backend.Store, c backend.Claim, answer string) {
	t.Helper()
	g, err := s.Complete(t.Context(), c.ID, c.Token, completionOf(c, answer))
	require.NoError(t, err)
	require.Equal(t, backend.Kept, g.Verdict)
}

func TestOfTwentyGoroutinesOneClaims(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]string{"": "", "with found rows counted": "clientFoundRows=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params, s.conns = params, 10
			_, first := s.open(t)
			_, second := s.open(t)
			stores := []backend.Store{first, second}
			for round := range 300 {
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
				require.Equal(t, []int32{1, 19}, []int32{claimed.Load(), inFlight.Load()})
			}
		})
	}
}

func TestEveryOperationIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]string{"": "", "with interpolation": "interpolateParams=true", "with found rows counted": "clientFoundRows=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params, s.conns = params, 1
			_, store, tap := s.openTapped(t)
			for what, trips := range tripsOf(t, store, tap) {
				want := 1
				if what == "takeover" { // it writes over what it has seen
					want = 2
				}
				require.EqualValues(t, want, trips, what)
			}
		})
	}
}

// tripsOf counts the round trips of each operation, once it is prepared.
func tripsOf(t *testing.T, store *sqlbackend.Store, tap *tapped) map[string]int64 {
	t.Helper()
	ctx := t.Context()
	whole := func(prefix string) map[string]int64 {
		counts := map[string]int64{}
		counted := func(what string, f func() (backend.Grant, error), want backend.Verdict) {
			before := tap.trips.Load()
			g, err := f()
			require.NoError(t, err)
			require.Equal(t, want, g.Verdict, what)
			counts[what] = tap.trips.Load() - before
		}
		begin := func(c backend.Claim) func() (backend.Grant, error) {
			return func() (backend.Grant, error) { return store.Begin(ctx, c) }
		}
		c, held, freed, lapsed := claimOf(prefix+"a"), claimOf(prefix+"b"), claimOf(prefix+"c"), claimOf(prefix+"d")
		lapsed.Lease = 0
		counted("claim", begin(c), backend.Claimed)
		counted("claim sent again", begin(c), backend.Claimed)
		counted("in flight", begin(again(c)), backend.InFlight)
		counted("mismatch", begin(otherRequest(c)), backend.Mismatch)
		counted("renew", func() (backend.Grant, error) {
			return store.Renew(ctx, c.ID, c.Token, backend.Renewal{Lease: time.Hour, Retention: time.Hour})
		}, backend.Kept)
		counted("complete", func() (backend.Grant, error) { return store.Complete(ctx, c.ID, c.Token, completionOf(c, "answer")) }, backend.Kept)
		counted("replay", begin(again(c)), backend.Replay)
		begins(t, store, held, backend.Claimed)
		counted("hold", func() (backend.Grant, error) { return store.Hold(ctx, held.ID, held.Token, "note") }, backend.Kept)
		counted("held", begin(again(held)), backend.Held)
		begins(t, store, freed, backend.Claimed)
		counted("release", func() (backend.Grant, error) { return store.Release(ctx, freed.ID, freed.Token) }, backend.Kept)
		begins(t, store, lapsed, backend.Claimed)
		counted("takeover", begin(again(lapsed)), backend.Claimed)
		return counts
	}
	whole("the first ones prepare")
	return whole("")
}

func TestWhatOnlyReadsWritesNothing(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.conns = 1
	db, store := s.open(t)
	done, pending, held, lapsed := claimOf("done"), claimOf("pending"), claimOf("held"), claimOf("lapsed")
	lapsed.Lease = 0
	for _, c := range []backend.Claim{done, pending, held, lapsed} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer")
	_, err := store.Hold(t.Context(), held.ID, held.Token, "")
	require.NoError(t, err)
	writes := func() (n int) {
		require.NoError(t, db.GetContext(t.Context(), &n, `SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS
WHERE VARIABLE_NAME IN ('HANDLER_UPDATE', 'HANDLER_DELETE', 'HANDLER_PREPARE')`))
		return n
	}
	var rows, rowsAfter []map[string]any
	table := func() (all []map[string]any) {
		found, err := db.QueryxContext(t.Context(), s.sql(`SELECT * FROM {t} ORDER BY id`))
		require.NoError(t, err)
		defer found.Close()
		for found.Next() {
			row := map[string]any{}
			require.NoError(t, found.MapScan(row))
			all = append(all, row)
		}
		return all
	}
	rows = table()
	before := writes()
	require.Equal(t, []byte("answer"), begins(t, store, again(done), backend.Replay).Answer)
	begins(t, store, otherRequest(done), backend.Mismatch)
	begins(t, store, again(pending), backend.InFlight)
	begins(t, store, pending, backend.Claimed)
	begins(t, store, lapsed, backend.Claimed)
	begins(t, store, otherRequest(lapsed), backend.Mismatch)
	begins(t, store, again(held), backend.Held)
	require.Equal(t, before, writes())
	rowsAfter = table()
	require.Equal(t, rows, rowsAfter)
	begins(t, store, again(lapsed), backend.Claimed)
	require.Equal(t, before+1, writes(), "the counter counts")
}

func TestADeadlockIsRetriedInside(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params, s.conns = url.Values{"tx_isolation": {"'REPEATABLE-READ'"}}.Encode(), 6
	db, store := s.open(t)
	for round := range 20 {
		c := claimOf(strconv.Itoa(round))
		tx, err := db.BeginTxx(t.Context(), nil)
		require.NoError(t, err)
		joined, err := store.Join(tx)
		require.NoError(t, err)
		begins(t, joined, c, backend.Claimed)
		var claimed atomic.Int32
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				g, err := store.Begin(t.Context(), again(c))
				if err != nil {
					t.Error(err)
				}
				if g.Verdict == backend.Claimed {
					claimed.Add(1)
				}
			})
		}
		require.Eventually(t, func() bool {
			var waiting int
			err := db.GetContext(t.Context(), &waiting, `SELECT COUNT(*) FROM information_schema.PROCESSLIST
WHERE ID <> CONNECTION_ID() AND INFO LIKE CONCAT('%INSERT INTO%', ?, '%')`, s.table)
			return err == nil && waiting == 3
		}, 10*time.Second, time.Millisecond)
		require.NoError(t, tx.Rollback())
		group.Wait()
		require.EqualValues(t, 1, claimed.Load())
	}
}

func TestAClaimThatIsNotCommittedIsInFlightForAPlainOneToo(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	joined, err := store.Join(tx)
	require.NoError(t, err)
	c := claimOf("key")
	begins(t, joined, c, backend.Claimed)
	start := time.Now()
	begins(t, store, again(c), backend.InFlight)
	require.Less(t, time.Since(start), 10*time.Second, "it waited as long as the server does")
}

func TestARowThatCannotBeReadIsCorruptAndStays(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"a token of another length":       `token = x'00'`,
		"a fingerprint of another length": `fingerprint = x'00'`,
		"a state that nobody knows":       `state = 4`,
		"a state below all":               `state = 0`,
		"an attempt below one":            `attempt = 0`,
		"a hold that is no boolean":       `hold = 2`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			db, store := s.open(t)
			c := claimOf("key")
			begins(t, store, c, backend.Claimed)
			s.run(t, db, `UPDATE {t} SET `+damage)
			for _, attempt := range []backend.Claim{again(c), again(c)} {
				_, err := store.Begin(t.Context(), attempt)
				if !strings.Contains(damage, "fingerprint") { // another one is another request, whatever else
					require.ErrorIs(t, err, backend.ErrCorrupt)
				}
			}
			_, err := store.Lookup(t.Context(), c.ID)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			_, err = store.InTx(t.Context(), again(c), mustNotRun(t))
			require.ErrorIs(t, err, backend.ErrCorrupt)
		})
	}
}

func TestAnAnswerThatTheServerCannotTakeIsTooLarge(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	var most int
	require.NoError(t, db.GetContext(t.Context(), &most, `SELECT @@max_allowed_packet`))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	_, err := store.Complete(t.Context(), c.ID, c.Token, completionOf(c, string(make([]byte, most))))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	completes(t, store, c, string(make([]byte, most-4<<10)))
	require.Len(t, begins(t, store, again(c), backend.Replay).Answer, most-4<<10)

	inside := claimOf("inside")
	inTx(t, store, inside, func(ctx context.Context, tx *txType, joined backend.TxStore) error {
		_, err := joined.Complete(ctx, inside.ID, inside.Token, completionOf(inside, string(make([]byte, most))))
		require.ErrorIs(t, err, backend.ErrTooLarge)
		return answering(inside, "tombstone")(ctx, tx, joined)
	}, backend.Claimed)
	begins(t, store, again(inside), backend.Replay)

	held := claimOf("held")
	begins(t, store, held, backend.Claimed)
	_, err = store.Hold(t.Context(), held.ID, held.Token, "")
	require.NoError(t, err)
	_, err = store.Resolve(t.Context(), backend.NewRef(held.ID, held.Token), completionOf(held, string(make([]byte, most))))
	require.ErrorIs(t, err, backend.ErrTooLarge)
}

func TestNoErrorRepeatsAValue(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, store := s.open(t)
	c := claimOf("key")
	c.User = "secret\xff"
	_, err := store.Begin(t.Context(), c)
	require.ErrorContains(t, err, "1366")
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, err.Error(), `\xFF`)
}

func TestALeaseIsNeverShorterThanAskedFor(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	c := claimOf("key")
	c.Lease, c.Retention = 1500*time.Microsecond, time.Nanosecond
	begins(t, store, c, backend.Claimed)
	var lease, retention int
	require.NoError(t, db.QueryRowContext(t.Context(), s.sql(`SELECT lease_until - since, expires_at - lease_until FROM {t}`)).Scan(&lease, &retention))
	require.Equal(t, []int{2, 1}, []int{lease, retention})
}

func TestTheSessionsTimeZoneDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, here := s.open(t)
	s.params = url.Values{"time_zone": {"'+13:00'"}, "parseTime": {"true"}}.Encode()
	_, there := s.open(t)
	c := claimOf("key")
	begins(t, here, c, backend.Claimed)
	g := begins(t, there, again(c), backend.InFlight)
	require.InDelta(t, c.Lease, g.LeaseLeft, float64(10*time.Second))
}

func TestTheStoreTellsTheCauseOfAnEndedContext(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	db, store := s.open(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	joined, err := store.Join(tx)
	require.NoError(t, err)
	begins(t, joined, claimOf("key"), backend.Claimed)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = store.Begin(ctx, claimOf("key"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestUsersWhoDifferInASpaceAreTwo(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, store := s.open(t)
	for _, user := range []string{"user", "user ", "USER", "usér"} {
		c := claimOf("key")
		c.ID, c.User = backend.NewID("guard", user, "key"), user
		begins(t, store, c, backend.Claimed)
	}
	n, err := store.ForgetUser(t.Context(), "guard", "user")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	left, _, err := store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
	require.NoError(t, err)
	require.Len(t, left, 3)
}

func TestWithoutReadableNothingReadableIsStored(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.options = []sqlbackend.Option{sqlbackend.WithoutReadable()}
	db, store := s.open(t)
	begins(t, store, claimOf("key"), backend.Claimed)
	require.Equal(t, 1, s.count(t, db, `guard_name IS NULL AND user_name IS NULL AND key_text IS NULL`))
}
