package sqltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/pgx"
)

// days has a table of records for each day. The day is that of the key, a UUIDv7, and so the same for every retry.
type days struct {
	db   *sqlx.DB
	keep int // days for which keys are taken; clients retry no longer
	mu   sync.Mutex
	of   map[string]*idem.Guard
}

// guard returns the guard for a key. A key whose table may be gone is refused: it would run again.
func (d *days) guard(ctx context.Context, key idem.Key, now time.Time) (*idem.Guard, error) {
	digits := strings.ReplaceAll(string(key), "-", "")
	if len(digits) != 32 || digits[12] != '7' {
		return nil, errors.New("the key is not a UUIDv7")
	}
	ms, err := strconv.ParseInt(digits[:12], 16, 64)
	if err != nil {
		return nil, errors.New("the key is not a UUIDv7")
	}
	made := time.UnixMilli(ms).UTC()
	if made.Before(now.AddDate(0, 0, -d.keep)) || made.After(now.Add(time.Hour)) {
		return nil, errors.New("the key is too old, or from the future")
	}
	table := "idem_" + made.Format("20060102")
	d.mu.Lock()
	defer d.mu.Unlock()
	if g := d.of[table]; g != nil {
		return g, nil
	}
	if err := sqlbackend.Migrate(ctx, d.db, pgx.Dialect(), sqlbackend.Table(table)); err != nil {
		return nil, err
	}
	store, err := sqlbackend.New(ctx, d.db, pgx.Dialect(), sqlbackend.Table(table))
	if err != nil {
		return nil, err
	}
	g, err := idem.New("payouts", store, idem.Hold)
	if err == nil {
		d.of[table] = g
	}
	return g, err
}

// uuid7 is the n-th key that is made at a time.
func uuid7(at time.Time, n int) idem.Key {
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return idem.Key(fmt.Sprintf("%s-%s-7000-8000-%012x", ms[:8], ms[8:], n))
}

func TestTheGuideShowsTheCodeThatIsTested(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("days_test.go")
	require.NoError(t, err)
	require.Contains(t, string(text), guide(t, "days"))
}

func TestATableForEachDay(t *testing.T) {
	t.Parallel()
	db, _ := viaPGX.fresh(t, viaPGX).bare(t)
	midnight := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	d := &days{db: db, keep: 3, of: map[string]*idem.Guard{}}
	runs := 0
	pay := func(key idem.Key, now time.Time, outcome error) error {
		g, err := d.guard(t.Context(), key, now)
		if err != nil {
			return err
		}
		_, err = idem.Do(t.Context(), g, key, "user", "request", func(context.Context, string) (int, error) {
			runs++
			return runs, outcome
		})
		return err
	}
	drop := func() error {
		conn, err := db.Connx(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.ExecContext(t.Context(), guide(t, "drop"))
		if err != nil {
			_, undo := conn.ExecContext(t.Context(), `ROLLBACK`)
			require.NoError(t, undo)
		}
		return err
	}
	tables := func() (names []string) {
		require.NoError(t, db.Select(&names, `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
AND relkind = 'r' AND relname NOT LIKE '%schema' ORDER BY 1`))
		return names
	}

	late := uuid7(midnight.Add(-time.Millisecond), 1)
	require.NoError(t, pay(late, midnight.Add(-time.Millisecond), nil))
	require.NoError(t, pay(late, midnight.Add(time.Hour), nil), "a retry after midnight")
	require.Equal(t, 1, runs, "it finds the record of the day before")
	require.NoError(t, pay(uuid7(midnight, 1), midnight, nil))
	require.Equal(t, 2, runs)
	require.Equal(t, []string{"idem_20261126", "idem_20261127"}, tables())

	unsure := uuid7(midnight.Add(-time.Hour), 2)
	require.Error(t, pay(unsure, midnight, idem.Uncertain(errors.New("no answer"))))
	require.ErrorContains(t, drop(), "must be kept", "its answer still replays, and an outcome is unknown")
	db.MustExec(`UPDATE idem_20261126 SET expires_at = 1 WHERE state = 2`) // as when the retention is over
	require.ErrorContains(t, drop(), "must be kept", "an outcome is unknown")
	g, err := d.guard(t.Context(), unsure, midnight)
	require.NoError(t, err)
	record, err := g.Lookup(t.Context(), unsure, "user")
	require.NoError(t, err)
	require.NoError(t, g.Release(t.Context(), record.Ref))
	require.NoError(t, drop())
	require.Equal(t, []string{"idem_20261127"}, tables())

	require.Error(t, pay(late, midnight.AddDate(0, 0, 4), nil), "its table is gone")
	require.Error(t, pay(uuid7(midnight.AddDate(0, 0, 1), 1), midnight, nil), "from the future")
	require.Error(t, pay("0191", midnight, nil))
	require.Error(t, pay("019a0000-0000-4000-8000-000000000000", midnight, nil))
	require.Equal(t, 3, runs)
	require.Equal(t, []string{"idem_20261127"}, tables())
}
