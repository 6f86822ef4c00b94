package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

func TestTheTimeZoneDoesNotMatter(t *testing.T) {
	each(t, onServers, func(t *testing.T, p *place) {
		name, zones := "timezone", [2]string{"Pacific/Kiritimati", "America/St_Johns"}
		if p.family() == mariadb {
			name, zones = "time_zone", [2]string{"'+13:00'", "'-03:30'"}
		}
		_, first := p.with(name, zones[0]).open(t)
		_, second := p.with(name, zones[1]).open(t)
		c := claimOf("key")
		begins(t, first, c, backend.Claimed)
		g := begins(t, second, again(c), backend.InFlight)
		require.InDelta(t, time.Minute, g.LeaseLeft, float64(10*time.Second))
		completes(t, second, c, "answer")
		require.Less(t, begins(t, first, again(c), backend.Replay).Age, 20*time.Second)
	})
}

func TestARowThatCannotBeReadIsCorruptAndStays(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		for name, damage := range map[string]string{
			"a token of another length":       `token = {0}`,
			"a fingerprint of another length": `fingerprint = {0}`,
			"a state that nobody knows":       `state = 4`,
			"a state below all":               `state = 0`,
			"an attempt below one":            `attempt = 0`,
			"a hold that is no boolean":       `hold = 2`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				corrupt(t, p.via.fresh(t, p.via), damage)
			})
		}
	})
}

func corrupt(t *testing.T, p *place, damage string) {
	t.Helper()
	db, store := p.open(t)
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	for _, lease := range []string{"lease_until", "1"} { // also where it is over
		p.run(t, db, `UPDATE {t} SET lease_until = `+lease+`, `+damage)
		for range 2 {
			_, err := store.Begin(t.Context(), again(c))
			require.ErrorIs(t, err, backend.ErrCorrupt, "or it was overwritten")
		}
		_, err := store.InTx(t.Context(), again(c), mustNotRun(t))
		require.ErrorIs(t, err, backend.ErrCorrupt)
		_, err = store.Lookup(t.Context(), c.ID)
		require.ErrorIs(t, err, backend.ErrCorrupt)
		_, _, err = store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
		require.ErrorIs(t, err, backend.ErrCorrupt)
	}
}

func TestALeaseIsNeverShorterThanAskedFor(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.open(t)
		c := claimOf("key")
		c.Lease, c.Retention = 1500*time.Microsecond, time.Nanosecond
		begins(t, store, c, backend.Claimed)
		var lease, retention int
		require.NoError(t, db.QueryRowContext(t.Context(),
			p.sql(`SELECT lease_until - since, expires_at - lease_until FROM {t}`)).Scan(&lease, &retention))
		require.Equal(t, []int{2, 1}, []int{lease, retention})
	})
}

func TestTheStoreTellsTheCauseOfAnEndedContext(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, holder := p.open(t)
		var opts []sqlbackend.OpenOption
		if !p.family().serves {
			opts = append(opts, sqlite.BusyTimeout(time.Minute))
		}
		_, store := p.open(t, opts...)
		done := claimOf("done")
		begins(t, store, done, backend.Claimed)
		tx, joined := p.joins(t, db, holder)
		begins(t, joined, claimOf("key"), backend.Claimed)
		if p.family().serves {
			p.run(t, tx, `UPDATE {t} SET note = 'locked'`)
		}
		for _, f := range []func(context.Context) error{
			func(ctx context.Context) error {
				_, err := store.Begin(ctx, claimOf("key"))
				return err
			},
			func(ctx context.Context) error {
				_, err := store.Complete(ctx, done.ID, done.Token, completionOf(done, "answer"))
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			require.ErrorIs(t, f(ctx), context.DeadlineExceeded)
			cancel()
		}
	})
}

func TestAnEmptyAnswerIsAnAnswer(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.open(t)
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		g, err := store.Complete(t.Context(), c.ID, c.Token, backend.Completion{Fingerprint: c.Fingerprint, Retention: time.Hour})
		require.NoError(t, err)
		require.Equal(t, backend.Kept, g.Verdict)
		require.Empty(t, begins(t, store, again(c), backend.Replay).Answer)
	})
}

func TestNoColumnOfAKeyIsNull(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.open(t)
		begins(t, store, claimOf("key"), backend.Claimed)
		for _, column := range []string{"id", "token", "fingerprint", "state", "hold", "attempt", "since", "lease_until", "expires_at", "note"} {
			_, err := db.ExecContext(t.Context(), p.sql(`UPDATE {t} SET `+column+` = NULL`))
			require.Error(t, err, column)
			require.Regexp(t, `(?i)not.null|cannot be null`, err.Error(), column)
		}
	})
}

func TestUsersWhoDifferInASpaceAreTwo(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.open(t)
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
	})
}

func TestWithoutReadableNothingReadableIsStored(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.open(t, sqlbackend.WithoutReadable())
		begins(t, store, claimOf("key"), backend.Claimed)
		require.Equal(t, 1, p.count(t, db, `guard_name IS NULL AND user_name IS NULL AND key_text IS NULL`))
		_, err := store.ForgetUser(t.Context(), "guard", "user")
		require.ErrorIs(t, err, backend.ErrUnsupported)
		_, _, err = store.List(t.Context(), backend.Filter{Guard: "guard"}, backend.Cursor{}, 10)
		require.ErrorIs(t, err, backend.ErrUnsupported)
		all, _, err := store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Empty(t, all[0].Guard+all[0].User+all[0].Key)
	})
}

func TestAListThatEndsWithAFullPageSaysSo(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		_, store := p.open(t)
		for _, key := range []string{"a", "b", "c", "d"} {
			begins(t, store, claimOf(key), backend.Claimed)
		}
		page, next, err := store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 2)
		require.NoError(t, err)
		require.Len(t, page, 2)
		require.False(t, next.IsZero())
		page, next, err = store.List(t.Context(), backend.Filter{}, next, 2)
		require.NoError(t, err)
		require.Len(t, page, 2)
		require.True(t, next.IsZero())
	})
}

func TestForgetUserWalksTheWholeTable(t *testing.T) {
	each(t, everywhere, func(t *testing.T, p *place) {
		db, store := p.open(t, sqlbackend.PruneStep(3))
		p.fill(t, db, 40)
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			begins(t, store, claimOf(key), backend.Claimed)
		}
		expired := claimOf("expired")
		expired.Lease, expired.Retention = 0, 0
		begins(t, store, expired, backend.Claimed)
		n, err := store.ForgetUser(t.Context(), "guard", "user")
		require.NoError(t, err)
		require.Equal(t, 10, n)
		require.Equal(t, 200, p.count(t, db, "1 = 1"), "the expired one is gone too, and nobody else's")
	})
}
