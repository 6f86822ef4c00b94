package memtest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// claim is a new attempt at the request of one key.
func claim(key string) backend.Claim {
	return backend.Claim{
		ID: backend.NewID("guard", "user", key), Token: backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("request")),
		Lease:       time.Minute, Retention: time.Hour,
		Guard: "guard", User: "user", Key: key,
	}
}

func answer(c backend.Claim, text string) backend.Completion {
	return backend.Completion{Fingerprint: c.Fingerprint, Answer: []byte(text), Retention: time.Hour}
}

// want checks a store's answer.
func want(t *testing.T, v backend.Verdict) func(backend.Grant, error) backend.Grant {
	t.Helper()
	return func(g backend.Grant, err error) backend.Grant {
		t.Helper()
		if err != nil || g.Verdict != v {
			t.Fatalf("got %s, %v; want %s", g.Verdict, err, v)
		}
		return g
	}
}

// wantErr checks that a call failed with an error that wraps target.
func wantErr(t *testing.T, target error) func(backend.Grant, error) {
	t.Helper()
	return func(g backend.Grant, err error) {
		t.Helper()
		if !errors.Is(err, target) || g.Verdict != 0 {
			t.Fatalf("got %s, %v; want an error that wraps %v", g.Verdict, err, target)
		}
	}
}

func TestLeasesAndRetentionsFollowTheClockOfABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store memtest.Store
		first, second := claim("key"), claim("key")
		want(t, backend.Claimed)(store.Begin(t.Context(), first))
		time.Sleep(time.Minute - time.Nanosecond)
		g := want(t, backend.InFlight)(store.Begin(t.Context(), second))
		if g.LeaseLeft != time.Nanosecond || g.Age != time.Minute-time.Nanosecond {
			t.Fatalf("in flight for %v with %v left, want to the nanosecond", g.Age, g.LeaseLeft)
		}
		time.Sleep(time.Nanosecond)
		want(t, backend.Claimed)(store.Begin(t.Context(), second))
		want(t, backend.Kept)(store.Complete(t.Context(), second.ID, second.Token, answer(second, "answer")))
		time.Sleep(time.Hour - time.Nanosecond)
		want(t, backend.Replay)(store.Begin(t.Context(), first))
		time.Sleep(time.Nanosecond)
		want(t, backend.Claimed)(store.Begin(t.Context(), first))
	})
}

func TestWaitingForATransactionIsDurableInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store memtest.Store
		c := claim("key")
		want(t, backend.Claimed)(store.Begin(t.Context(), c))
		tx := store.BeginTx(t.Context())
		joined, err := store.Join(tx)
		if err != nil {
			t.Fatal(err)
		}
		want(t, backend.Kept)(joined.Complete(t.Context(), c.ID, c.Token, answer(c, "in the transaction")))
		var outside backend.Grant
		go func() { outside, err = store.Complete(t.Context(), c.ID, c.Token, answer(c, "outside")) }()
		synctest.Wait()
		if outside.Verdict != 0 || err != nil {
			t.Fatalf("a write behind a transaction answered %s, %v; want it to wait", outside.Verdict, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if outside.Verdict != backend.Kept || string(outside.Answer) != "in the transaction" {
			t.Fatalf("after the commit the write answered %s with %q", outside.Verdict, outside.Answer)
		}
	})
}

func TestAdvanceRefusesToGoBack(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Fatal("Advance(-1) did not panic")
		}
	}()
	new(memtest.Store).Advance(-1)
}

func TestAnAnswerOverTheLimitIsRefusedAndTheClaimStays(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	store.SetMaxAnswer(5)
	wantErr(t, backend.ErrTooLarge)(store.Complete(t.Context(), c.ID, c.Token, answer(c, "123456")))
	want(t, backend.Kept)(store.Complete(t.Context(), c.ID, c.Token, answer(c, "12345")))
	store.SetMaxAnswer(0)
	next := claim("other")
	want(t, backend.Claimed)(store.Begin(t.Context(), next))
	want(t, backend.Kept)(store.Complete(t.Context(), next.ID, next.Token, answer(next, "123456")))
}

func TestTheLimitHoldsInTransactionsAndForOperatorsToo(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	store.SetMaxAnswer(5)
	c := claim("key")
	tx, joined := join(t, &store)
	want(t, backend.Claimed)(joined.Begin(t.Context(), c))
	wantErr(t, backend.ErrTooLarge)(joined.Complete(t.Context(), c.ID, c.Token, answer(c, "123456")))
	want(t, backend.Kept)(joined.Hold(t.Context(), c.ID, c.Token, ""))
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	ref := backend.NewRef(c.ID, c.Token)
	wantErr(t, backend.ErrTooLarge)(store.Resolve(t.Context(), ref, answer(c, "123456")))
	want(t, backend.Kept)(store.Resolve(t.Context(), ref, answer(c, "12345")))
}

func TestTheCallerMayUseTheSliceOfAnAnswerAgain(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	done := answer(c, "answer")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	want(t, backend.Kept)(store.Complete(t.Context(), c.ID, c.Token, done))
	clear(done.Answer)
	if g := want(t, backend.Replay)(store.Begin(t.Context(), claim("key"))); string(g.Answer) != "answer" {
		t.Fatalf("replayed %q after the caller changed his slice", g.Answer)
	}
}

func TestAnEmptyNoteKeepsTheOneOfARenewal(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	want(t, backend.Kept)(store.Renew(t.Context(), c.ID, c.Token, backend.Renewal{Lease: time.Minute, Note: "pi_123"}))
	want(t, backend.Kept)(store.Hold(t.Context(), c.ID, c.Token, ""))
	if r, err := store.Lookup(t.Context(), c.ID); err != nil || r.Note != "pi_123" {
		t.Fatalf("the held record's note is %q, %v", r.Note, err)
	}
}

// Not parallel: AllocsPerRun counts what other tests allocate too.
func TestAReplayAllocatesNothingAndAFirstRunLittle(t *testing.T) {
	var store memtest.Store
	ctx, c := t.Context(), claim("key")
	want(t, backend.Claimed)(store.Begin(ctx, c))
	want(t, backend.Kept)(store.Complete(ctx, c.ID, c.Token, answer(c, "answer")))
	if n := testing.AllocsPerRun(1000, func() { _, _ = store.Begin(ctx, c) }); n != 0 {
		t.Errorf("a replay allocates %v times, want 0", n)
	}
	done, i := answer(c, "answer"), 0
	first := testing.AllocsPerRun(1000, func() {
		i++
		c.ID[1], c.ID[2] = byte(i), byte(i>>8)
		_, _ = store.Begin(ctx, c)
		_, _ = store.Complete(ctx, c.ID, c.Token, done)
	})
	if first > 3 {
		t.Errorf("a claim with its completion allocates %v times, want 3 at most", first)
	}
}

func TestManyCallersOfManyRecordsAgree(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	var all sync.WaitGroup
	const callers, keys = 8, 50
	var ran [keys]int
	var mu sync.Mutex
	for range callers {
		all.Go(func() {
			for i := range keys {
				c := claim(strconv.Itoa(i))
				if g, err := store.Begin(t.Context(), c); err == nil && g.Verdict == backend.Claimed {
					_, _ = store.Complete(t.Context(), c.ID, c.Token, answer(c, "answer"))
					mu.Lock()
					ran[i]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for i, n := range ran {
		if n != 1 {
			t.Errorf("key %d was run %d times", i, n)
		}
	}
}

func TestPruneGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	const records = 300
	for i := range records {
		want(t, backend.Claimed)(store.Begin(t.Context(), claim(strconv.Itoa(i))))
	}
	store.Advance(2 * time.Hour)
	first, err := store.Prune(&brief{Context: t.Context(), looks: 20})
	if !errors.Is(err, context.Canceled) || first.Removed == 0 || first.Removed == records {
		t.Fatalf("an interrupted Prune returned %+v, %v; want a part and the context's error", first, err)
	}
	second, err := store.Prune(&brief{Context: t.Context(), looks: 64 - 20})
	if !errors.Is(err, context.Canceled) || first.Removed+second.Removed != records {
		t.Fatalf("the rest of the round removed %d after %d of %d, %v", second.Removed, first.Removed, records, err)
	}
	if all, err := store.Prune(t.Context()); err != nil || all.Scanned != 0 {
		t.Fatalf("a last Prune returned %+v, %v", all, err)
	}
}

// brief is a context that ends after it was looked at so many times.
type brief struct {
	context.Context
	looks int
}

func (b *brief) Err() error {
	if b.looks--; b.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestListRefusesALimitThatShowsNothing(t *testing.T) {
	t.Parallel()
	if _, _, err := new(memtest.Store).List(t.Context(), backend.Filter{}, backend.Cursor{}, 0); err == nil {
		t.Fatal("List with limit 0 returned no error")
	}
}

func TestMemoryURLs(t *testing.T) {
	t.Parallel()
	open := func(url string) backend.Store {
		h, err := backend.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		return h.Store
	}
	c, name := claim("key"), rand.Text()
	want(t, backend.Claimed)(open("memory:"+name).Begin(t.Context(), c))
	want(t, backend.InFlight)(open("memory:"+name).Begin(t.Context(), claim("key")))
	want(t, backend.Claimed)(open("memory:"+name+"2").Begin(t.Context(), c))
	want(t, backend.Claimed)(open("memory:").Begin(t.Context(), c))
	want(t, backend.Claimed)(open("memory:").Begin(t.Context(), claim("key")))
}

func TestCheckWarnsThatNothingSurvives(t *testing.T) {
	t.Parallel()
	found, err := new(memtest.Store).Check(t.Context())
	if err != nil || len(found) != 1 || found[0].Severity != backend.Warning {
		t.Fatalf("Check returned %+v, %v; want one warning", found, err)
	}
}
