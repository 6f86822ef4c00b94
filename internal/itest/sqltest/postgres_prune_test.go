package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

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
	p := viaPGX.fresh(t, viaPGX)
	db, _ := p.open(t)
	old := sqlx.NewDb(sql.OpenDB(aged{connectorPGX(t, p, &wire{})}), "wrapped")
	t.Cleanup(func() { _ = old.Close() })
	store, err := sqlbackend.New(t.Context(), old, p.via.dialect(), sqlbackend.PruneStep(7), sqlbackend.PrunePause(0))
	require.NoError(t, err)
	p.fill(t, db, 200)
	p.prunesTwice(t, db, store, 200)
}

func TestAStepReadsNoMoreThanItsBlocks(t *testing.T) {
	t.Parallel()
	p := viaPGX.fresh(t, viaPGX).of(1)
	db, store := p.open(t, sqlbackend.PruneStep(100))
	p.fill(t, db, 2000)
	p.run(t, db, `VACUUM ANALYZE {t}`)
	var plan []string
	require.NoError(t, db.SelectContext(t.Context(), &plan, `EXPLAIN SELECT count(*) FROM idem_records
WHERE ctid > coalesce(nullif(encode('\x'::bytea, 'escape'), ''), '(0,0)')::tid AND ctid <= encode('(3,0)'::bytea, 'escape')::tid`))
	require.Contains(t, strings.Join(plan, "\n"), "Tid Range Scan")
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2000, stats.Removed)
}

func TestPruneGoesOnWhereItStoppedOnPostgres(t *testing.T) {
	t.Parallel()
	p := viaPGX.fresh(t, viaPGX)
	db, store := p.open(t, sqlbackend.PruneStep(1), sqlbackend.PrunePause(20*time.Millisecond))
	p.fill(t, db, 200)
	p.run(t, db, `DELETE FROM {t} WHERE state = 1 AND lease_until = 1`) // what becomes Unknown may move
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := make(chan error)
	go func() {
		_, err := store.Prune(ctx)
		stopped <- err
	}()
	require.Eventually(t, func() bool { return p.count(t, db, "expires_at = 1 AND ctid < '(3,0)'") == 0 }, 10*time.Second, time.Millisecond)
	cancel(errGone)
	require.Equal(t, errGone, <-stopped)

	ahead, all := p.count(t, db, "ctid >= '(2,0)'"), p.count(t, db, "true")
	require.Less(t, ahead, all)
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, stats.Scanned, ahead, "it began at the start again")
	stats, err = store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, p.count(t, db, "true"), stats.Scanned, "the next walk starts at the start")
}

func TestManyReplicasPruneAtOnce(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		db, _ := p.open(t)
		p.fill(t, db, 500)
		var total backend.PruneStats
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 5 {
			_, store := p.of(2).open(t, sqlbackend.PruneStep(50), sqlbackend.PrunePause(0))
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
	})
}
