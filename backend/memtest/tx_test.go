package memtest_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

type body = func(context.Context, *memtest.Tx, backend.TxStore) error

// work counts an effect and completes.
func work(c backend.Claim, effects *int) body {
	return func(ctx context.Context, tx *memtest.Tx, s backend.TxStore) error {
		tx.OnCommit(func() { *effects++ })
		_, err := s.Complete(ctx, c.ID, c.Token, answer(c, "answer"))
		return err
	}
}

func join(t *testing.T, store *memtest.Store) (*memtest.Tx, backend.TxStore) {
	t.Helper()
	tx := store.BeginTx(t.Context())
	joined, err := store.Join(tx)
	if err != nil {
		t.Fatal(err)
	}
	return tx, joined
}

func TestACommitFailsAsItsFaultSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		fault     memtest.Fault
		wraps     []error
		committed bool
	}{
		{"failed", memtest.Fault{}, []error{memtest.ErrInjected}, false},
		{"rolled back for a conflict", memtest.Fault{Err: backend.ErrConflict}, []error{backend.ErrConflict}, false},
		{"committed, the answer lost", memtest.Fault{Mode: memtest.LoseAck, Err: errDown}, []error{backend.ErrCommitUnknown, errDown}, true},
		{"rolled back, the answer lost", memtest.Fault{Err: backend.ErrCommitUnknown}, []error{backend.ErrCommitUnknown}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var store memtest.Store
			effects, c := 0, claim("key")
			tt.fault.Op = memtest.OpCommit
			store.Inject(tt.fault)
			g, err := store.InTx(t.Context(), c, work(c, &effects))
			for _, target := range tt.wraps {
				wantErr(t, target)(g, err)
			}
			settled, count := backend.Lost, 0
			if tt.committed {
				settled, count = backend.Kept, 1
			}
			want(t, settled)(store.Settle(t.Context(), c.ID, c.Token))
			if effects != count {
				t.Fatalf("%d effects, want %d", effects, count)
			}
		})
	}
}

func TestACommitThatIsSlowOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store memtest.Store
		effects, c := 0, claim("key")
		ctx, cancel := context.WithCancel(t.Context())
		store.Inject(memtest.Fault{Op: memtest.OpCommit, Mode: memtest.Delay, Delay: time.Second, Do: cancel})
		want(t, backend.Claimed)(store.InTx(ctx, c, work(c, &effects)))
		if effects != 1 {
			t.Fatalf("%d effects, want 1", effects)
		}
	})
}

func TestOnCommitForgetsWhatANestedRolledBack(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	var ran []string
	mark := func(tx *memtest.Tx, name string) { tx.OnCommit(func() { ran = append(ran, name) }) }
	c := claim("key")
	want(t, backend.Claimed)(store.InTx(t.Context(), c, func(ctx context.Context, tx *memtest.Tx, s backend.TxStore) error {
		mark(tx, "before")
		err := s.Nested(ctx, func(context.Context) error { mark(tx, "failed"); return errDown })
		if !errors.Is(err, errDown) {
			t.Errorf("Nested returned %v", err)
		}
		err = s.Nested(ctx, func(context.Context) error { mark(tx, "nested"); return nil })
		mark(tx, "after")
		if len(ran) != 0 {
			t.Errorf("%v ran before the commit", ran)
		}
		return err
	}))
	if !slices.Equal(ran, []string{"before", "nested", "after"}) {
		t.Fatalf("%v ran at the commit", ran)
	}
}

func TestWhatATransactionClaimedIsInFlightForEverybodyElse(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	tx, joined := join(t, &store)
	want(t, backend.Claimed)(joined.Begin(t.Context(), c))
	store.Advance(10 * time.Second)
	g := want(t, backend.InFlight)(store.Begin(t.Context(), claim("key")))
	if g.Age < 10*time.Second || g.LeaseLeft > 50*time.Second || g.LeaseLeft < 40*time.Second {
		t.Errorf("in flight for %v with %v left, want about 10 s and 50 s", g.Age, g.LeaseLeft)
	}
	_, other := join(t, &store)
	want(t, backend.InFlight)(other.Begin(t.Context(), claim("key")))
	if r, err := store.Lookup(t.Context(), c.ID); err != nil || r.State != backend.Absent {
		t.Errorf("Lookup shows an uncommitted claim: %s, %v", r.State, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	want(t, backend.Claimed)(other.Begin(t.Context(), claim("key")))
}

func TestARecordThatATransactionWroteStillTellsWhatNeedsNoWrite(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	_, joined := join(t, &store)
	want(t, backend.Kept)(joined.Complete(t.Context(), c.ID, c.Token, answer(c, "answer")))
	stranger := claim("key")
	stranger.Fingerprint = backend.NewFingerprint([]byte("another request"))
	want(t, backend.Mismatch)(store.Begin(t.Context(), stranger))
	want(t, backend.InFlight)(store.Begin(t.Context(), claim("key")))
	want(t, backend.Lost)(store.Release(t.Context(), c.ID, backend.NewToken()))
}

func TestTwoTransactionsThatWriteOneRecordConflict(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	first, one := join(t, &store)
	second, two := join(t, &store)
	want(t, backend.Kept)(one.Complete(t.Context(), c.ID, c.Token, answer(c, "first")))
	wantErr(t, backend.ErrConflict)(two.Complete(t.Context(), c.ID, c.Token, answer(c, "second")))
	wantErr(t, backend.ErrConflict)(two.Begin(t.Context(), claim("other")))
	if err := second.Commit(); !errors.Is(err, backend.ErrConflict) {
		t.Fatalf("Commit of the second returned %v", err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if g := want(t, backend.Replay)(store.Begin(t.Context(), claim("key"))); string(g.Answer) != "first" {
		t.Fatalf("replayed %q", g.Answer)
	}
}

func TestATransactionThatIsOverRefusesCalls(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	tx, joined := join(t, &store)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, memtest.ErrTxOver)(joined.Begin(t.Context(), claim("key")))
	_, err := store.Join(tx)
	for what, err := range map[string]error{
		"Commit": tx.Commit(), "Rollback": tx.Rollback(), "Join": err,
		"Nested": joined.Nested(t.Context(), func(context.Context) error { return nil }),
	} {
		if !errors.Is(err, memtest.ErrTxOver) {
			t.Errorf("%s returned %v", what, err)
		}
	}
}

func TestJoinRefusesTheTransactionOfAnotherStore(t *testing.T) {
	t.Parallel()
	var store, other memtest.Store
	if _, err := store.Join(other.BeginTx(t.Context())); err == nil {
		t.Error("a transaction of another store was joined")
	}
	if _, err := store.Join(nil); err == nil {
		t.Error("a nil transaction was joined")
	}
}

func TestATransactionThatInTxStartedIsNotTheBodysToEnd(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	effects, c := 0, claim("key")
	want(t, backend.Claimed)(store.InTx(t.Context(), c, func(ctx context.Context, tx *memtest.Tx, s backend.TxStore) error {
		if err := tx.Commit(); !errors.Is(err, memtest.ErrTxOver) {
			t.Errorf("Commit inside InTx returned %v", err)
		}
		if err := tx.Rollback(); !errors.Is(err, memtest.ErrTxOver) {
			t.Errorf("Rollback inside InTx returned %v", err)
		}
		return work(c, &effects)(ctx, tx, s)
	}))
	if effects != 1 {
		t.Fatalf("%d effects, want 1", effects)
	}
}

func TestACommitWhoseContextEndedRollsBack(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	ctx, cancel := context.WithCancelCause(t.Context())
	tx := store.BeginTx(ctx)
	joined, err := store.Join(tx)
	if err != nil {
		t.Fatal(err)
	}
	want(t, backend.Claimed)(joined.Begin(t.Context(), c))
	cancel(errDown)
	wantErr(t, errDown)(joined.Release(t.Context(), c.ID, c.Token))
	if err := tx.Commit(); !errors.Is(err, errDown) {
		t.Fatalf("Commit returned %v, want the context's cause", err)
	}
	want(t, backend.Claimed)(store.Begin(t.Context(), claim("key")))
}

func TestSeveralRecordsCommitAtOnce(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	tx, joined := join(t, &store)
	all := make([]backend.Claim, 100)
	for i := range all {
		all[i] = claim(strconv.Itoa(i))
		want(t, backend.Claimed)(joined.Begin(t.Context(), all[i]))
	}
	parts := make(chan int)
	go func() { parts <- missing(t, &store, all) }()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := <-parts; n != 0 {
		t.Fatalf("when the first record of a transaction was seen, %d others were not", n)
	}
	for _, c := range all {
		want(t, backend.Kept)(store.Complete(t.Context(), c.ID, c.Token, answer(c, "answer")))
	}
}

// missing looks until one of the records is there, and counts those that are not there then.
func missing(t *testing.T, store *memtest.Store, all []backend.Claim) int {
	for t.Context().Err() == nil {
		for _, c := range all {
			if r, err := store.Lookup(t.Context(), c.ID); err != nil || r.State == backend.Absent {
				continue
			}
			n := 0
			for _, c := range all {
				if r, err := store.Lookup(t.Context(), c.ID); err != nil || r.State == backend.Absent {
					n++
				}
			}
			return n
		}
	}
	return -1
}

func TestPruneLeavesWhatATransactionWrote(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	tx, joined := join(t, &store)
	want(t, backend.Kept)(joined.Renew(t.Context(), c.ID, c.Token, backend.Renewal{Lease: 10 * time.Hour}))
	store.Advance(2 * time.Hour)
	if stats, err := store.Prune(t.Context()); err != nil || stats.Removed != 0 {
		t.Fatalf("Prune returned %+v, %v", stats, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	want(t, backend.InFlight)(store.Begin(t.Context(), claim("key")))
}

func TestAWatchIsWokenByTheCommitAlone(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	changed, stop, err := store.Watch(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	woken := func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	tx, joined := join(t, &store)
	want(t, backend.Claimed)(joined.Begin(t.Context(), c))
	want(t, backend.Kept)(joined.Complete(t.Context(), c.ID, c.Token, answer(c, "answer")))
	if woken() {
		t.Error("a watch was woken before the commit")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if !woken() {
		t.Error("a watch was not woken by the commit")
	}
}
