package idem_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

type Payment struct {
	Account string
	Cents   int64
}

type Receipt struct{ ID string }

// A second call with the same key gets the stored answer.
func ExampleDo() {
	ctx := context.Background()
	guard, err := idem.New("payments", new(memtest.Store))
	if err != nil {
		fmt.Println(err)
		return
	}
	chargeCard := func(ctx context.Context, p Payment) (Receipt, error) {
		fmt.Println("charging", p.Cents)
		return Receipt{ID: "ch_1"}, nil
	}
	for range 2 {
		receipt, err := idem.Do(ctx, guard, "key-from-the-client", "account-7", Payment{"acct", 500}, chargeCard)
		fmt.Println(receipt.ID, err)
	}
	// Output:
	// charging 500
	// ch_1 <nil>
	// ch_1 <nil>
}

// DoResult tells where an answer comes from.
func ExampleDoResult() {
	guard := idem.Must(idem.New("payments", new(memtest.Store)))
	chargeCard := func(context.Context, Payment) (Receipt, error) { return Receipt{ID: "ch_1"}, nil }
	for range 2 {
		res, _ := idem.DoResult(context.Background(), guard, "key", "account-7", Payment{"acct", 500}, chargeCard)
		fmt.Println(res.Value.ID, res.Replayed, res.Attempt)
	}
	// Output:
	// ch_1 false 1
	// ch_1 true 1
}

// An Op binds a guard to one operation, whose name keeps two operations from answering for each other.
func ExampleFor() {
	guard := idem.Must(idem.New("payments", new(memtest.Store)))
	charges := idem.Must(idem.For[Payment, Receipt](guard, "charge"))
	refunds := idem.Must(idem.For[Payment, Receipt](guard, "refund"))
	run := func(context.Context, Payment) (Receipt, error) { return Receipt{ID: "1"}, nil }

	_, err := charges.Do(context.Background(), "key", "account-7", Payment{"acct", 500}, run)
	fmt.Println(err)
	_, err = refunds.Do(context.Background(), "key", "account-7", Payment{"acct", 500}, run)
	fmt.Println(err)
	// Output:
	// <nil>
	// idem: the key was used for another request
}

// In a transaction effect, claim and answer commit together. A store of backend/sql hands out a *sqlx.Tx; the in-memory
// one has no tables, so its effect is a function that runs at commit.
func ExampleDoTx() {
	guard := idem.Must(idem.New("payouts", new(memtest.Store), idem.Tx))
	insert := func(_ context.Context, tx *memtest.Tx, p Payment) (Receipt, error) {
		tx.OnCommit(func() { fmt.Println("one row") })
		return Receipt{ID: "po_1"}, nil
	}
	for range 2 {
		receipt, err := idem.DoTx(context.Background(), guard, "key", "account-7", Payment{"acct", 500}, insert)
		fmt.Println(receipt.ID, err)
	}
	// Output:
	// one row
	// po_1 <nil>
	// po_1 <nil>
}

// JoinTx does the same inside a transaction that the caller commits.
func ExampleJoinTx() {
	ctx := context.Background()
	store := new(memtest.Store)
	guard := idem.Must(idem.New("payouts", store, idem.Tx))
	tx := store.BeginTx(ctx)
	receipt, err := idem.JoinTx(ctx, guard, tx, "key", "account-7", Payment{"acct", 500},
		func(_ context.Context, tx *memtest.Tx, p Payment) (Receipt, error) {
			tx.OnCommit(func() { fmt.Println("one row") })
			return Receipt{ID: "po_1"}, nil
		})
	fmt.Println(receipt.ID, err)
	fmt.Println(tx.Commit())
	// Output:
	// po_1 <nil>
	// one row
	// <nil>
}

// A business answer that is an error replays like any other answer.
func ExampleFinal() {
	guard := idem.Must(idem.New("payments", new(memtest.Store)))
	chargeCard := func(context.Context, Payment) (Receipt, error) {
		fmt.Println("asking the bank")
		return Receipt{}, idem.Final(errors.New("insufficient funds"))
	}
	for range 2 {
		_, err := idem.Do(context.Background(), guard, "key", "account-7", Payment{"acct", 500}, chargeCard)
		fmt.Println(err)
	}
	// Output:
	// asking the bank
	// insufficient funds
	// insufficient funds
}

// An error after which the effect may have happened holds the record until somebody finds out.
func ExampleUncertain() {
	ctx := context.Background()
	guard := idem.Must(idem.New("payments", new(memtest.Store)))
	charges := idem.Must(idem.For[Payment, Receipt](guard, "charge"))
	chargeCard := func(ctx context.Context, _ Payment) (Receipt, error) {
		_ = idem.Note(ctx, "gateway id 4711")
		return Receipt{}, idem.Uncertain(errors.New("the gateway timed out"))
	}
	_, err := charges.Do(ctx, "key", "account-7", Payment{"acct", 500}, chargeCard)
	fmt.Println(err)
	_, err = charges.Do(ctx, "key", "account-7", Payment{"acct", 500}, chargeCard)
	fmt.Println(err)

	record, _ := guard.Lookup(ctx, "key", "account-7")
	fmt.Println(record.State, record.Note)
	fmt.Println(charges.Resolve(ctx, record.Ref, Receipt{ID: "ch_4711"}))
	receipt, err := charges.Do(ctx, "key", "account-7", Payment{"acct", 500}, chargeCard)
	fmt.Println(receipt.ID, err)
	// Output:
	// the gateway timed out
	// idem: the outcome of an earlier attempt is unknown
	// Unknown gateway id 4711
	// <nil>
	// ch_4711 <nil>
}

// A child key makes a downstream call recognisable on every attempt.
func ExampleChildKey() {
	guard := idem.Must(idem.New("payments", new(memtest.Store)))
	seen := map[idem.Key]bool{}
	for range 2 {
		_, _ = idem.Do(context.Background(), guard, "key", "account-7", Payment{"acct", 500},
			func(ctx context.Context, _ Payment) (Receipt, error) {
				child, err := idem.ChildKey(ctx, "gateway")
				seen[child] = true
				return Receipt{}, errors.Join(err, errors.New("try again"))
			})
	}
	fmt.Println("attempts 2, child keys", len(seen))
	// Output: attempts 2, child keys 1
}

// What does not count when two requests are compared is left out by a tag, or by choosing what counts.
func ExampleFingerprintBy() {
	type tracedPayment struct {
		Payment
		TraceID string
	}
	guard := idem.Must(idem.New("payments", new(memtest.Store)))
	run := func(context.Context, tracedPayment) (Receipt, error) { return Receipt{ID: "ch_1"}, nil }
	counts := idem.FingerprintBy(func(p tracedPayment) any { return p.Payment })
	for _, trace := range []string{"trace-1", "trace-2"} {
		res, err := idem.DoResult(context.Background(), guard, "key", "account-7", tracedPayment{Payment{"acct", 500}, trace}, run, counts)
		fmt.Println(res.Replayed, err)
	}
	// Output:
	// false <nil>
	// true <nil>
}

// A tenant and a user inside it are joined without ambiguity.
func ExampleScope() {
	fmt.Println(idem.Scope("a", "bc") == idem.Scope("ab", "c"))
	// Output: false
}

// What happens is told to an observer, for metrics and traces.
func ExampleWithObserver() {
	guard := idem.Must(idem.New("payments", new(memtest.Store), idem.WithObserver(idem.ObserverFunc(
		func(_ context.Context, e idem.Event) { fmt.Printf("%s: %s %q\n", e.Guard, e.Kind, e.Code) }))))
	run := func(context.Context, Payment) (Receipt, error) { return Receipt{ID: "ch_1"}, nil }
	for _, cents := range []int64{500, 500, 600} {
		_, _ = idem.Do(context.Background(), guard, "key", "account-7", Payment{"acct", cents}, run)
	}
	// Output:
	// payments: claimed ""
	// payments: completed ""
	// payments: replayed ""
	// payments: refused "mismatch"
}

// A pruner runs as long as its context; several replicas may each run one.
func ExampleGuard_RunPruner() {
	store := new(memtest.Store)
	guard := idem.Must(idem.New("payments", store))
	ctx, shutdown := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- guard.RunPruner(ctx, time.Hour) }()
	shutdown()
	fmt.Println(<-done)
	// Output: context canceled
}

// A program picks its backend by a URL; the scheme is known once its package is imported.
func ExampleNew() {
	ctx := context.Background()
	handle, err := backend.Open(ctx, "memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer handle.Close()
	guard, err := idem.New("payments", handle.Store, idem.Hold, idem.Retention(7*24*time.Hour), idem.Lease(time.Minute))
	fmt.Println(guard.Name(), guard.Guarantee(), err)

	_, err = idem.New("payments", handle.Store, idem.Lease(-1))
	fmt.Println(err)
	// Output:
	// payments Hold <nil>
	// idem: option Lease: -1ns is not between 1s and 87600h0m0s
}

// A client that repeats himself at once gets his answer without a round trip.
func ExampleCacheAnswers() {
	store := new(memtest.Store)
	guard, _ := idem.New("payments", store, idem.CacheAnswers(5*time.Second, 16<<20))
	charge := func(context.Context, int) (string, error) { return "ch_1", nil }
	store.StartLog()
	for range 3 {
		id, err := idem.Do(context.Background(), guard, "key-1", "user-1", 500, charge)
		fmt.Println(id, err)
	}
	for _, call := range store.Calls() {
		fmt.Println(call.Op)
	}
	// Output:
	// ch_1 <nil>
	// ch_1 <nil>
	// ch_1 <nil>
	// Begin
	// Complete
}
