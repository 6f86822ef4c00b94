package sqlbackend

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/idem-go/idem/backend"
)

type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprint("code ", int(e)) }

func codeOf(err error) (int, bool) {
	var e sqliteError
	ok := errors.As(err, &e)
	return int(e), ok
}

func TestSQLiteErrorClasses(t *testing.T) {
	t.Parallel()
	d := sqliteDialect{codeOf}
	for code, want := range map[int]class{
		1: unclassified, 10: unclassified, 13: unclassified,
		5: busy, 261: busy, 773: busy, 6: busy, 262: busy, 517: conflict,
		18: tooLarge, 787: missingKey, 19: refused, 1555: refused, 2067: refused,
	} {
		if got := d.classify(fmt.Errorf("wrapped: %w", sqliteError(code))); got != want {
			t.Errorf("code %d is of class %d, want %d", code, got, want)
		}
	}
	if got := d.classify(errors.New("another")); got != unclassified {
		t.Errorf("another error is of class %d", got)
	}
}

func TestFailuresCarryTheirSentinel(t *testing.T) {
	t.Parallel()
	cause := errors.New("the caller has left")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	d := sqliteDialect{codeOf}
	for code, want := range map[int]error{517: backend.ErrConflict, 18: backend.ErrTooLarge, 787: backend.ErrUnknownUser} {
		if err := failure(t.Context(), "op", sqliteError(code), d.classify); !errors.Is(err, want) || !errors.Is(err, sqliteError(code)) {
			t.Errorf("code %d became %v, want %v", code, err, want)
		}
	}
	if err := failure(ended, "op", sqliteError(9), d.classify); !errors.Is(err, cause) || !errors.Is(err, sqliteError(9)) {
		t.Errorf("an interrupted statement became %v, want the context's cause in it", err)
	}
	if err := failure(ended, "op", nil, d.classify); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestTheWriterIsGivenInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWriter()
		leave, err := w.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan int, 5)
		for i := range 5 {
			go func() {
				leave, err := w.enter(t.Context())
				if err != nil {
					t.Error(err)
				}
				order <- i
				leave()
			}()
			synctest.Wait() // it is queued before the next one comes
		}
		leave()
		for i := range 5 {
			if got := <-order; got != i {
				t.Errorf("number %d came as number %d", got, i)
			}
		}
	})
}

func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, cause := newWriter(), errors.New("the caller has left")
		leave, _ := w.enter(t.Context())
		ctx, cancel := context.WithCancelCause(t.Context())
		failed := make(chan error)
		go func() {
			_, err := w.enter(ctx)
			failed <- err
		}()
		synctest.Wait()
		cancel(cause)
		if err := <-failed; err != cause {
			t.Errorf("enter returned %v, want the context's cause", err)
		}
		leave()
		if _, err := w.enter(t.Context()); err != nil {
			t.Errorf("the writer is not free again: %v", err)
		}
	})
}

func TestTheWriterKnowsWhomItIsLentTo(t *testing.T) {
	t.Parallel()
	w := newWriter()
	ctx, over := w.lend(t.Context())
	if _, err := w.enter(context.WithoutCancel(ctx)); !errors.Is(err, errInside) {
		t.Errorf("inside the transaction enter returned %v", err)
	}
	if leave, err := newWriter().enter(ctx); err != nil {
		t.Errorf("another store's writer is refused: %v", err)
	} else {
		leave()
	}
	over()
	if _, err := w.enter(ctx); err != nil {
		t.Errorf("after the transaction enter returned %v", err)
	}
}

func TestRunningClaimsAreSeenByTheirDuplicates(t *testing.T) {
	t.Parallel()
	r := newRunning()
	first := backend.Claim{ID: backend.ID{1}, Fingerprint: backend.Fingerprint{1}, Lease: 7}
	duplicate, stranger, unrelated := first, first, first
	stranger.Fingerprint = backend.Fingerprint{2}
	unrelated.ID = backend.ID{2}

	leave, _ := r.enter(&first)
	if again, g := r.enter(&duplicate); again != nil || g.Verdict != backend.InFlight || g.LeaseLeft != 7 {
		t.Errorf("a duplicate got %+v", g)
	}
	if g, taken := r.other(&stranger); !taken || g.Verdict != backend.Mismatch {
		t.Errorf("another request got %+v", g)
	}
	if g, taken := r.other(&unrelated); taken {
		t.Errorf("another record got %+v", g)
	}
	leave()
	if g, taken := r.other(&duplicate); taken {
		t.Errorf("after the end a duplicate got %+v", g)
	}
}
