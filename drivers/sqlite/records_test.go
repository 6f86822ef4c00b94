package sqlite

import (
	"context"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

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

// locked holds the file's write lock until the returned function is called.
func locked(t *testing.T, db *sqlx.DB) (unlock func()) {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return func() { require.NoError(t, tx.Rollback()) }
}

func TestWhatOnlyReadsNeedsNoWriterAndWritesNothing(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, BusyTimeout(time.Millisecond))
	other, _ := openFile(t, file)
	done, pending, held := claimOf("done"), claimOf("pending"), claimOf("held")
	for _, c := range []backend.Claim{done, pending, held} {
		begins(t, store, c, backend.Claimed)
	}
	completes(t, store, done, "answer")
	_, err := store.Hold(t.Context(), held.ID, held.Token, "")
	require.NoError(t, err)

	watcher, err := other.Connx(t.Context())
	require.NoError(t, err)
	defer watcher.Close()
	var before, after int
	require.NoError(t, watcher.GetContext(t.Context(), &before, `PRAGMA data_version`))
	wal, err := os.Stat(file + "-wal")
	require.NoError(t, err)

	unlock := locked(t, other)
	require.Equal(t, []byte("answer"), begins(t, store, again(done), backend.Replay).Answer)
	begins(t, store, otherRequest(done), backend.Mismatch)
	begins(t, store, again(pending), backend.InFlight)
	begins(t, store, pending, backend.Claimed)
	begins(t, store, again(held), backend.Held)
	g, err := store.InTx(t.Context(), again(done), nil)
	require.NoError(t, err)
	require.Equal(t, backend.Replay, g.Verdict)
	unlock()

	require.NoError(t, watcher.GetContext(t.Context(), &after, `PRAGMA data_version`))
	require.Equal(t, before, after, "somebody committed")
	walAfter, err := os.Stat(file + "-wal")
	require.NoError(t, err)
	require.Equal(t, wal.Size(), walAfter.Size())
}

func TestABusyFileIsAnErrorAndNotInFlight(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, BusyTimeout(time.Millisecond))
	other, _ := openFile(t, file)
	unlock := locked(t, other)
	c := claimOf("key")
	_, err := store.Begin(t.Context(), c)
	require.ErrorContains(t, err, "SQLITE_BUSY")
	require.NotErrorIs(t, err, backend.ErrConflict)
	_, err = store.InTx(t.Context(), c, nil)
	require.ErrorContains(t, err, "SQLITE_BUSY")
	unlock()
	begins(t, store, c, backend.Claimed)
}

func TestASecondHandleWaitsUnderBusyTimeout(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, BusyTimeout(time.Minute))
	other, _ := openFile(t, file)
	unlock := locked(t, other)
	claimed, started := make(chan error), make(chan struct{})
	go func() {
		close(started)
		_, err := store.Begin(t.Context(), claimOf("key"))
		claimed <- err
	}()
	<-started
	unlock()
	require.NoError(t, <-claimed)
}

func TestOfTwentyGoroutinesOneClaims(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, first := openFile(t, file, BusyTimeout(time.Minute))
	_, second := openFile(t, file, BusyTimeout(time.Minute))
	stores := []backend.Store{first, second}
	for round := range 200 {
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
			db, store := openFile(t, newFile(t))
			c := claimOf("key")
			begins(t, store, c, backend.Claimed)
			_, err := db.ExecContext(t.Context(), `UPDATE idem_records SET `+damage)
			require.NoError(t, err)

			_, err = store.Begin(t.Context(), again(c))
			require.ErrorIs(t, err, backend.ErrCorrupt)
			_, err = store.Begin(t.Context(), again(c))
			require.ErrorIs(t, err, backend.ErrCorrupt, "it was overwritten")
			_, err = store.Lookup(t.Context(), c.ID)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			_, _, err = store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			_, err = store.InTx(t.Context(), again(c), func(context.Context, *sqlx.Tx, backend.TxStore) error {
				t.Error("run was called")
				return nil
			})
			require.ErrorIs(t, err, backend.ErrCorrupt)
		})
	}
}

func TestNoColumnOfAKeyIsNull(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	begins(t, store, claimOf("key"), backend.Claimed)
	for _, column := range []string{"id", "token", "fingerprint", "state", "hold", "attempt", "since", "lease_until", "expires_at", "note"} {
		_, err := db.ExecContext(t.Context(), `UPDATE idem_records SET `+column+` = NULL`)
		require.ErrorContains(t, err, "NOT NULL", column)
	}
}

func TestBytesAreStoredAsBlobs(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	completes(t, store, c, "answer")
	var types string
	require.NoError(t, db.GetContext(t.Context(), &types,
		`SELECT typeof(id) || ' ' || typeof(token) || ' ' || typeof(fingerprint) || ' ' || typeof(answer) FROM idem_records`))
	require.Equal(t, "blob blob blob blob", types)
	_, err := db.ExecContext(t.Context(), `UPDATE idem_records SET id = CAST(id AS TEXT)`)
	require.Error(t, err, "text that looks like an id would be a second record")
}

func TestAnEmptyAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()
	_, store := openFile(t, newFile(t))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	g, err := store.Complete(t.Context(), c.ID, c.Token, backend.Completion{Fingerprint: c.Fingerprint, Retention: time.Hour})
	require.NoError(t, err)
	require.Equal(t, backend.Kept, g.Verdict)
	require.Empty(t, begins(t, store, again(c), backend.Replay).Answer)
}

func TestAnAnswerThatSQLiteCannotTakeIsTooLarge(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlbackend.Conns(1))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	const limitLength = 0 // SQLITE_LIMIT_LENGTH
	_, err = sqlite.Limit(conn, limitLength, 10_000)
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	_, err = store.Complete(t.Context(), c.ID, c.Token, completionOf(c, string(make([]byte, 20_000))))
	require.ErrorIs(t, err, backend.ErrTooLarge)
	completes(t, store, c, "tombstone")
}

func TestALeaseIsNeverShorterThanAskedFor(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t))
	c := claimOf("key")
	c.Lease, c.Retention = 1500*time.Microsecond, time.Nanosecond
	begins(t, store, c, backend.Claimed)
	var lease, retention int
	require.NoError(t, db.QueryRowContext(t.Context(),
		`SELECT lease_until - since, expires_at - lease_until FROM idem_records`).Scan(&lease, &retention))
	require.Equal(t, []int{2, 1}, []int{lease, retention})
}

func TestTheStoreTellsTheCauseOfAnEndedContext(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, store := openFile(t, file, BusyTimeout(time.Minute))
	other, _ := openFile(t, file)
	locked(t, other)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := store.Begin(ctx, claimOf("key"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestWithoutReadableNothingReadableIsStored(t *testing.T) {
	t.Parallel()
	db, store := openFile(t, newFile(t), sqlbackend.WithoutReadable())
	begins(t, store, claimOf("key"), backend.Claimed)
	var n int
	require.NoError(t, db.GetContext(t.Context(), &n,
		`SELECT count(guard_name) + count(user_name) + count(key_text) FROM idem_records`))
	require.Zero(t, n)
	_, err := store.ForgetUser(t.Context(), "guard", "user")
	require.ErrorIs(t, err, backend.ErrUnsupported)
	_, _, err = store.List(t.Context(), backend.Filter{Guard: "guard"}, backend.Cursor{}, 10)
	require.ErrorIs(t, err, backend.ErrUnsupported)
	all, _, err := store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Empty(t, all[0].Guard+all[0].User+all[0].Key)
}
