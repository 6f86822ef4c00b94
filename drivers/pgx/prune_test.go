package pgx

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// fill writes n expired records, n live ones, n abandoned claims that hold, n live ones that hold and n Unknown ones.
func fill(tb testing.TB, db *sqlx.DB, n int) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), `INSERT INTO idem_records (id, token, fingerprint, state, hold, attempt, since, lease_until, expires_at, answer, note)
SELECT sha256((random()::text || i || k.state || k.lease || k.expiry)::bytea), decode(repeat('00', 16), 'hex'), decode(repeat('00', 33), 'hex'),
k.state, k.hold, 1, 0, k.lease, k.expiry, decode(repeat('00', 128), 'hex'), ''
FROM generate_series(1, $1::int) AS i, (VALUES (2, 0, 0, 1), (2, 0, 0, 9223372036854775807), (1, 1, 1, 9223372036854775807),
(1, 1, 9223372036854775807, 9223372036854775807), (3, 1, 1, 9223372036854775807)) AS k (state, hold, lease, expiry)
ORDER BY i`, n)
	require.NoError(tb, err)
}

func TestPruneWalksTheWholeTable(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 7, 200, 10_000} {
		for _, analyzed := range []bool{false, true} {
			t.Run(fmt.Sprintf("in steps of %d, analyzed %v", step, analyzed), func(t *testing.T) {
				t.Parallel()
				db, store := open(t, sqlbackend.PruneStep(step), sqlbackend.PrunePause(0))
				fill(t, db, 200)
				if analyzed {
					db.MustExec(`ANALYZE idem_records`)
				}
				prunes(t, db, store)
			})
		}
	}
}

// prunes checks two walks over what fill(200) has written.
func prunes(t *testing.T, db *sqlx.DB, store *sqlbackend.Store) {
	t.Helper()
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	if stats.Scanned -= 1000; stats.Scanned > 0 { // a row that became Unknown may have moved ahead of the walk
		require.LessOrEqual(t, stats.Scanned, 200)
		stats.Scanned = 0
	}
	require.Equal(t, backend.PruneStats{Removed: 200, Held: 200}, stats)
	require.Equal(t, 200, count(t, db, "state = 2"))
	require.Equal(t, 200, count(t, db, "state = 1"))
	require.Equal(t, 400, count(t, db, "state = 3"))
	stats, err = store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, backend.PruneStats{Scanned: 800}, stats)
}

// aged is a connector whose server says that it is PostgreSQL 13.
type aged struct{ driver.Connector }

func (c aged) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return agedConn{conn.(*stdlib.Conn)}, nil
}

type agedConn struct{ *stdlib.Conn }

func (c agedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if strings.Contains(text, "ctid") {
		return nil, errors.New("a scan of a range of places, of which this server knows nothing")
	}
	return c.Conn.QueryContext(ctx, strings.ReplaceAll(text, "current_setting('server_version_num')", "'130011'"), args)
}

func TestAnOldServerIsWalkedByTheIDs(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	db, _ := openIn(t, schema, server(t))
	parsed, err := pgx.ParseConfig(server(t, "search_path="+schema))
	require.NoError(t, err)
	old := sqlx.NewDb(sql.OpenDB(aged{stdlib.GetConnector(*parsed)}), "wrapped")
	t.Cleanup(func() { _ = old.Close() })
	store, err := sqlbackend.New(t.Context(), old, Dialect(), sqlbackend.PruneStep(7), sqlbackend.PrunePause(0))
	require.NoError(t, err)
	fill(t, db, 200)
	prunes(t, db, store)
}

func TestAStepReadsNoMoreThanItsBlocks(t *testing.T) {
	t.Parallel()
	db, store := open(t, sqlbackend.Conns(1), sqlbackend.PruneStep(100))
	fill(t, db, 2000)
	db.MustExec(`VACUUM ANALYZE idem_records`)
	var plan []string
	require.NoError(t, db.SelectContext(t.Context(), &plan, `EXPLAIN SELECT count(*) FROM idem_records
WHERE ctid > coalesce(nullif(encode('\x'::bytea, 'escape'), ''), '(0,0)')::tid AND ctid <= encode('(3,0)'::bytea, 'escape')::tid`))
	require.Contains(t, strings.Join(plan, "\n"), "Tid Range Scan")
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2000, stats.Removed)
}

var errGone = errors.New("gone")

func TestPruneGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	db, store := open(t, sqlbackend.PruneStep(1), sqlbackend.PrunePause(20*time.Millisecond))
	fill(t, db, 200)
	db.MustExec(`DELETE FROM idem_records WHERE state = 1 AND lease_until = 1`) // what becomes Unknown may move
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := make(chan error)
	go func() {
		_, err := store.Prune(ctx)
		stopped <- err
	}()
	require.Eventually(t, func() bool { return count(t, db, "expires_at = 1 AND ctid < '(3,0)'") == 0 }, 10*time.Second, time.Millisecond)
	cancel(errGone)
	require.Equal(t, errGone, <-stopped)

	ahead, all := count(t, db, "ctid >= '(2,0)'"), count(t, db, "true")
	require.Less(t, ahead, all)
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, stats.Scanned, ahead, "it began at the start again")
	stats, err = store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, count(t, db, "true"), stats.Scanned, "the next walk starts at the start")
}

func TestManyReplicasPruneAtOnce(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	db, _ := openIn(t, schema, server(t))
	fill(t, db, 500)
	var total backend.PruneStats
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 5 {
		_, store := openIn(t, schema, server(t), sqlbackend.Conns(2), sqlbackend.PruneStep(50), sqlbackend.PrunePause(0))
		group.Go(func() {
			stats, err := store.Prune(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total.Add(stats)
		})
	}
	group.Wait()
	require.Equal(t, []int{500, 500}, []int{total.Removed, total.Held})
}

func TestForgetUserWalksTheWholeTable(t *testing.T) {
	t.Parallel()
	db, store := open(t, sqlbackend.PruneStep(3))
	fill(t, db, 100)
	for i := range 10 {
		begins(t, store, claimOf(fmt.Sprint(i)), backend.Claimed)
	}
	n, err := store.ForgetUser(t.Context(), "guard", "user")
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, 500, count(t, db, "true"), "nobody else's")
}
