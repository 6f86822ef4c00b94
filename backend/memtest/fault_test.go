package memtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

var errDown = errors.New("connection refused")

// calls are one call of each operation under a live claim, and the state that it leaves.
var calls = []struct {
	op    memtest.Op
	leave backend.State
	call  func(context.Context, *memtest.Store, backend.Claim) (backend.Grant, error)
}{
	{memtest.OpRenew, backend.Pending, func(ctx context.Context, s *memtest.Store, c backend.Claim) (backend.Grant, error) {
		return s.Renew(ctx, c.ID, c.Token, backend.Renewal{Lease: time.Minute, Note: "renewed"})
	}},
	{memtest.OpComplete, backend.Done, func(ctx context.Context, s *memtest.Store, c backend.Claim) (backend.Grant, error) {
		return s.Complete(ctx, c.ID, c.Token, answer(c, "answer"))
	}},
	{memtest.OpRelease, backend.Absent, func(ctx context.Context, s *memtest.Store, c backend.Claim) (backend.Grant, error) {
		return s.Release(ctx, c.ID, c.Token)
	}},
	{memtest.OpHold, backend.Unknown, func(ctx context.Context, s *memtest.Store, c backend.Claim) (backend.Grant, error) {
		return s.Hold(ctx, c.ID, c.Token, "")
	}},
	{memtest.OpSettle, backend.Pending, func(ctx context.Context, s *memtest.Store, c backend.Claim) (backend.Grant, error) {
		return s.Settle(ctx, c.ID, c.Token)
	}},
}

func TestAFailedCallHasNoEffectAndALostAnswerHasOne(t *testing.T) {
	t.Parallel()
	for _, tt := range calls {
		for _, mode := range []memtest.Mode{memtest.Fail, memtest.LoseAck} {
			t.Run(fmt.Sprintf("%s mode %d", tt.op, mode), func(t *testing.T) {
				t.Parallel()
				var store memtest.Store
				c := claim("key")
				want(t, backend.Claimed)(store.Begin(t.Context(), c))
				fault := store.Inject(memtest.Fault{Op: tt.op, Mode: mode, Err: errDown})
				wantErr(t, errDown)(tt.call(t.Context(), &store, c))
				shown, _ := store.Lookup(t.Context(), c.ID)
				expected := tt.leave
				if mode == memtest.Fail {
					expected = backend.Pending
				}
				if shown.State != expected || (tt.op == memtest.OpRenew) && (shown.Note != "") != (mode == memtest.LoseAck) {
					t.Fatalf("the record is %s with note %q", shown.State, shown.Note)
				}
				if fault.Fired() != 1 {
					t.Fatalf("the fault fired %d times", fault.Fired())
				}
				_, err := tt.call(t.Context(), &store, c)
				if err != nil {
					t.Fatalf("the call after the fault failed: %v", err)
				}
			})
		}
	}
}

func TestALostClaimIsFoundWhenItIsSentAgain(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.LoseAck})
	wantErr(t, memtest.ErrInjected)(store.Begin(t.Context(), c))
	want(t, backend.InFlight)(store.Begin(t.Context(), claim("key")))
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
}

func TestNthAndCountChooseTheCalls(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		nth, count int
		hit        []int // of calls 1 to 6
	}{
		{"zero values hit the next call once", 0, 0, []int{1}},
		{"the third call, once", 3, 1, []int{3}},
		{"two calls from the second on", 2, 2, []int{2, 3}},
		{"all calls from the fourth on", 4, -1, []int{4, 5, 6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var store memtest.Store
			c := claim("key")
			fault := store.Inject(memtest.Fault{Op: memtest.OpBegin, Nth: tt.nth, Count: tt.count})
			want(t, backend.Lost)(store.Renew(t.Context(), c.ID, c.Token, backend.Renewal{})) // counts for another Op
			for n := 1; n <= 6; n++ {
				_, err := store.Begin(t.Context(), c)
				if hit := slices.Contains(tt.hit, n); (err != nil) != hit {
					t.Errorf("call %d: %v; want it hit: %v", n, err, hit)
				}
			}
			if fault.Fired() != len(tt.hit) {
				t.Errorf("fired %d times, want %d", fault.Fired(), len(tt.hit))
			}
		})
	}
}

func TestARemovedFaultDoesNotFire(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	fault := store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1})
	other := store.Inject(memtest.Fault{Op: memtest.OpRenew, Count: -1})
	c := claim("key")
	wantErr(t, memtest.ErrInjected)(store.Begin(t.Context(), c))
	fault.Remove()
	fault.Remove()
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	wantErr(t, memtest.ErrInjected)(store.Renew(t.Context(), c.ID, c.Token, backend.Renewal{}))
	if fault.Fired() != 1 || other.Fired() != 1 {
		t.Fatalf("fired %d and %d times, want once each", fault.Fired(), other.Fired())
	}
}

func TestADelayedCallWaitsAndObeysItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store memtest.Store
		start, c := time.Now(), claim("key")
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.Delay, Delay: 3 * time.Second, Count: 2})
		want(t, backend.Claimed)(store.Begin(t.Context(), c))
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("a delayed call took %v, want 3 s", took)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errDown)
		defer cancel()
		next := claim("other")
		wantErr(t, errDown)(store.Begin(ctx, next))
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("a call whose context ended returned after %v, want 1 s", took-3*time.Second)
		}
		want(t, backend.Lost)(store.Renew(t.Context(), next.ID, next.Token, backend.Renewal{}))
	})
}

func TestFaultsAddUpAndTheFirstThatFailsDecides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store memtest.Store
		start, c := time.Now(), claim("key")
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.Delay, Delay: time.Second})
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.Delay | memtest.LoseAck, Delay: time.Second, Err: errDown})
		store.Inject(memtest.Fault{Op: memtest.OpBegin, Mode: memtest.Fail})
		wantErr(t, errDown)(store.Begin(t.Context(), c))
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v, want both delays", took)
		}
		want(t, backend.InFlight)(store.Begin(t.Context(), claim("key")))
	})
}

func TestDoComesBeforeTheCallTakesEffect(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	first, second := claim("key"), claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), first))
	fault := store.Inject(memtest.Fault{Op: memtest.OpComplete, Do: func() {
		store.Advance(2 * time.Minute)
		want(t, backend.Claimed)(store.Begin(t.Context(), second))
	}})
	want(t, backend.Lost)(store.Complete(t.Context(), first.ID, first.Token, answer(first, "late")))
	want(t, backend.Kept)(store.Complete(t.Context(), second.ID, second.Token, answer(second, "answer")))
	if fault.Fired() != 1 {
		t.Errorf("fired %d times, want once", fault.Fired())
	}
}

func TestAFaultThatCouldNeverFireIsRefused(t *testing.T) {
	t.Parallel()
	faults := map[string]memtest.Fault{
		"no operation":             {},
		"an unknown operation":     {Op: 99},
		"an unknown mode":          {Op: memtest.OpBegin, Mode: 8},
		"fail and lose":            {Op: memtest.OpBegin, Mode: memtest.Fail | memtest.LoseAck},
		"delay without a duration": {Op: memtest.OpBegin, Mode: memtest.Delay},
		"a duration without delay": {Op: memtest.OpBegin, Mode: memtest.Fail, Delay: time.Second},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Fatal("Inject did not panic")
				}
			}()
			new(memtest.Store).Inject(fault)
		})
	}
}

func TestTheLogShowsCallsAndNoSecrets(t *testing.T) {
	t.Parallel()
	var store memtest.Store
	c := claim("key")
	want(t, backend.Claimed)(store.Begin(t.Context(), c))
	if got := store.Calls(); got != nil {
		t.Fatalf("a log that nobody started shows %v", got)
	}
	store.StartLog()
	store.Inject(memtest.Fault{Op: memtest.OpComplete, Err: errDown})
	wantErr(t, errDown)(store.Complete(t.Context(), c.ID, c.Token, answer(c, "answer")))
	want(t, backend.Kept)(store.Complete(t.Context(), c.ID, c.Token, answer(c, "answer")))
	want(t, backend.Lost)(store.Release(t.Context(), c.ID, c.Token))
	store.SetMaxAnswer(1)
	wantErr(t, backend.ErrTooLarge)(store.Complete(t.Context(), c.ID, c.Token, answer(c, "answer")))
	var got []string
	for _, call := range store.Calls() {
		if call.ID != c.ID.Short() {
			t.Errorf("%s shows the id %q, want its first 8 digits", call.Op, call.ID)
		}
		got = append(got, fmt.Sprint(call.Op, " ", call.Verdict, " ", call.Err))
	}
	expected := []string{
		"Complete none memtest: Complete: connection refused", "Complete Kept <nil>", "Release Lost <nil>",
		"Complete none " + backend.ErrTooLarge.Error(),
	}
	if !slices.Equal(got, expected) {
		t.Fatalf("the log shows %q, want %q", got, expected)
	}
	store.StartLog()
	if got := store.Calls(); len(got) != 0 {
		t.Fatalf("a log that was started again shows %v", got)
	}
}

func TestOpNames(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(memtest.Op(0), memtest.OpBegin, memtest.OpSettle, memtest.Op(200)); got != "none Begin Settle invalid" {
		t.Fatal(got)
	}
}
