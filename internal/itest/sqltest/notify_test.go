package sqltest

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"testing"
	"time"

	pgxdriver "github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// probe listens beside everything else.
type probe struct {
	t    *testing.T
	conn *pgxdriver.Conn
}

func newProbe(t *testing.T, p *place) *probe {
	t.Helper()
	conn, err := pgxdriver.Connect(t.Context(), postgresURL(p))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), `LISTEN idem_ended`)
	require.NoError(t, err)
	return &probe{t, conn}
}

// told returns how often it was told of the record until now. Notifications arrive in the order of commits.
func (p *probe) told(c backend.Claim) (n int) {
	p.t.Helper()
	mark := fmt.Sprint("now ", schemas.Add(1), os.Getpid())
	_, err := p.conn.Exec(p.t.Context(), `SELECT pg_notify('idem_ended', $1)`, mark)
	require.NoError(p.t, err)
	for {
		told, err := p.conn.WaitForNotification(p.t.Context())
		require.NoError(p.t, err)
		switch told.Payload {
		case mark:
			return n
		case hex.EncodeToString(c.ID[:]):
			n++
		}
	}
}

// ends are what ends a claim.
var ends = map[string]func(context.Context, *sqlbackend.Store, backend.Claim) error{
	"complete": func(ctx context.Context, s *sqlbackend.Store, c backend.Claim) error {
		_, err := s.Complete(ctx, c.ID, c.Token, completionOf(c, "answer"))
		return err
	},
	"release": func(ctx context.Context, s *sqlbackend.Store, c backend.Claim) error {
		_, err := s.Release(ctx, c.ID, c.Token)
		return err
	},
	"hold": func(ctx context.Context, s *sqlbackend.Store, c backend.Claim) error {
		_, err := s.Hold(ctx, c.ID, c.Token, "note")
		return err
	},
	"forget": func(ctx context.Context, s *sqlbackend.Store, c backend.Claim) error {
		_, err := s.Forget(ctx, c.ID)
		return err
	},
	"forget user": func(ctx context.Context, s *sqlbackend.Store, c backend.Claim) error {
		_, err := s.ForgetUser(ctx, c.Guard, c.User)
		return err
	},
}

func TestOnlyWhatIsWaitedForIsNotified(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.open(t)
		heard := newProbe(t, p)
		marks := func(c backend.Claim) {
			t.Helper()
			watches(t, store, c)
			require.Equal(t, 1, p.count(t, db, "waited = 1"))
		}
		for name, end := range ends {
			c := claimOf(t.Name() + name) // a notification has no table
			begins(t, store, c, backend.Claimed)
			require.NoError(t, end(t.Context(), store, c))
			require.Zero(t, heard.told(c), "%s: nobody waits", name)
			_, err := store.Forget(t.Context(), c.ID)
			require.NoError(t, err)

			begins(t, store, c, backend.Claimed)
			marks(c)
			marks(c)
			require.NoError(t, end(t.Context(), store, c))
			require.NoError(t, end(t.Context(), store, c)) // sent again
			require.Equal(t, 1, heard.told(c), name)
			_, err = store.Forget(t.Context(), c.ID)
			require.NoError(t, err)
		}
	})
}

func TestATakeoverGoesOnForThoseWhoWait(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, store := p.open(t)
		heard := newProbe(t, p)
		c := claimOf(t.Name())
		begins(t, store, c, backend.Claimed)
		watches(t, store, c)
		p.advance(t, db, 2*time.Minute)
		next := again(c)
		begins(t, store, next, backend.Claimed)
		completes(t, store, next, "answer")
		require.Equal(t, 1, heard.told(c))
		p.advance(t, db, 2*time.Hour)
		last := again(c)
		begins(t, store, last, backend.Claimed)
		require.Zero(t, p.count(t, db, "waited = 1"), "nobody waits for a new claim over what has expired")
		completes(t, store, last, "answer")
		require.Zero(t, heard.told(c))
	})
}
