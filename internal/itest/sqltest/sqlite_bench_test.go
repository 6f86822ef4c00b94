package sqltest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/drivers/sqlite"
)

// bare is what somebody writes by hand who wants to keep an answer under a key, and nothing more.
type bare struct{ insert, update, find *sql.Stmt }

func newBare(b *testing.B, db *sqlx.DB) *bare {
	b.Helper()
	_, err := db.ExecContext(b.Context(), `CREATE TABLE bare (id BLOB NOT NULL PRIMARY KEY, token BLOB, fingerprint BLOB, state INTEGER, expires_at INTEGER, answer BLOB)`)
	require.NoError(b, err)
	prepare := func(text string) *sql.Stmt {
		s, err := db.PrepareContext(b.Context(), text)
		require.NoError(b, err)
		return s
	}
	return &bare{
		insert: prepare(`INSERT INTO bare (id, token, fingerprint, state, expires_at) VALUES (?, ?, ?, 1, ?)`),
		update: prepare(`UPDATE bare SET state = 2, answer = ?, expires_at = ? WHERE id = ?`),
		find:   prepare(`SELECT fingerprint, state, answer FROM bare WHERE id = ? AND expires_at > ?`),
	}
}

var answer = make([]byte, 512)

func (r *bare) first(ctx context.Context, c backend.Claim) error {
	if _, err := r.insert.ExecContext(ctx, c.ID[:], c.Token[:], c.Fingerprint[:], 1); err != nil {
		return err
	}
	_, err := r.update.ExecContext(ctx, answer, 2, c.ID[:])
	return err
}

func (r *bare) replay(ctx context.Context, c backend.Claim) error {
	var fingerprint, answer []byte
	var state int
	return r.find.QueryRowContext(ctx, c.ID[:], 1).Scan(&fingerprint, &state, &answer)
}

func first(ctx context.Context, s backend.Store, c backend.Claim) error {
	g, err := s.Begin(ctx, c)
	if err == nil && g.Verdict != backend.Claimed {
		err = fmt.Errorf("begin: %v", g.Verdict)
	}
	if err != nil {
		return err
	}
	_, err = s.Complete(ctx, c.ID, c.Token, backend.Completion{Fingerprint: c.Fingerprint, Answer: answer, Retention: time.Hour})
	return err
}

func replay(ctx context.Context, s backend.Store, c backend.Claim) error {
	g, err := s.Begin(ctx, c)
	if err == nil && g.Verdict != backend.Replay {
		err = fmt.Errorf("begin: %v", g.Verdict)
	}
	return err
}

// BenchmarkAgainstBareStatements interleaves the store with hand-written statements on one pool, so that what the
// machine does meanwhile happens to both, and reports ours/bare: the ratio of their times.
func BenchmarkAgainstBareStatements(b *testing.B) {
	for _, mode := range []string{"normal", "full"} {
		for _, callers := range []int{1, 32} {
			b.Run(fmt.Sprintf("first/%s/%d", mode, callers), func(b *testing.B) { benchFirst(b, mode, callers) })
		}
	}
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("replay/%d", callers), func(b *testing.B) { benchReplay(b, callers) })
	}
}

func benchFirst(b *testing.B, mode string, callers int) {
	db, store := openFile(b, newFile(b), sqlite.Synchronous(mode), sqlite.BusyTimeout(time.Minute))
	hand := newBare(b, db)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	interleave(b, callers,
		func() error { return first(ctx, store, fresh()) },
		func() error { return hand.first(ctx, fresh()) })
}

func benchReplay(b *testing.B, callers int) {
	db, store := openFile(b, newFile(b))
	hand := newBare(b, db)
	c := fresh()
	require.NoError(b, first(b.Context(), store, c))
	require.NoError(b, hand.first(b.Context(), c))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	retry := c
	retry.Token = backend.NewToken()
	interleave(b, callers,
		func() error { return replay(ctx, store, retry) },
		func() error { return hand.replay(ctx, c) })
}

func fresh() backend.Claim {
	c := backend.Claim{Token: backend.NewToken(), Lease: time.Minute, Retention: time.Hour, Guard: "guard", User: "user", Key: "key"}
	_, _ = rand.Read(c.ID[:])
	return c
}

// interleave runs ours, bare, bare, ours, ours, … in turns of b.N/8 operations, each shared among the callers.
func interleave(b *testing.B, callers int, ours, bare func() error) {
	const turns = 16
	var spent [2]time.Duration
	n := max(1, b.N/(turns/2))
	b.ResetTimer()
	for turn := range turns {
		which := (turn + 1) / 2 % 2
		start := time.Now()
		if err := share(callers, n, []func() error{ours, bare}[which]); err != nil {
			b.Fatal(err)
		}
		spent[which] += time.Since(start)
	}
	b.StopTimer()
	b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "ours/bare")
	each := float64(n * turns / 2)
	b.ReportMetric(float64(spent[0].Nanoseconds())/each, "ours-ns/op")
	b.ReportMetric(float64(spent[1].Nanoseconds())/each, "bare-ns/op")
}

func share(callers, n int, op func() error) error {
	if callers == 1 {
		for range n {
			if err := op(); err != nil {
				return err
			}
		}
		return nil
	}
	var left atomic.Int64
	var failed atomic.Pointer[error]
	left.Store(int64(n))
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := op(); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// BenchmarkTransaction is a first run whose effect, claim and answer commit together, over the effect alone.
func BenchmarkTransaction(b *testing.B) {
	db, store := openFile(b, newFile(b), sqlite.BusyTimeout(time.Minute))
	_, err := db.ExecContext(b.Context(), `CREATE TABLE effects (n INTEGER)`)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	effect := func(ctx context.Context, tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO effects VALUES (1)`)
		return err
	}
	interleave(b, 1, func() error {
		c := fresh()
		_, err := store.InTx(ctx, c, func(ctx context.Context, tx *sqlx.Tx, s backend.TxStore) error {
			if err := effect(ctx, tx); err != nil {
				return err
			}
			_, err := s.Complete(ctx, c.ID, c.Token, backend.Completion{Fingerprint: c.Fingerprint, Answer: answer, Retention: time.Hour})
			return err
		})
		return err
	}, func() error {
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := effect(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// BenchmarkPrune prunes among live records while first runs go on, and reports how long those took.
func BenchmarkPrune(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		db, store := openFile(b, newFile(b), sqlite.BusyTimeout(time.Minute))
		(&place{via: viaSQLite, table: "idem_records"}).fill(b, db, 50_000)
		ctx, cancel := context.WithCancel(b.Context())
		var group sync.WaitGroup
		group.Go(func() {
			for ctx.Err() == nil {
				_ = first(ctx, store, fresh())
			}
		})
		b.StartTimer()
		start := time.Now()
		stats, err := store.Prune(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(stats.Scanned)/time.Since(start).Seconds(), "rows/s")
		b.StopTimer()
		cancel()
		group.Wait()
		b.StartTimer()
	}
}
