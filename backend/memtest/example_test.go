package memtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// charge stands for a user's code: it runs once, and says what it tells its caller.
func charge(ctx context.Context, store backend.Store, c backend.Claim) string {
	g, err := store.Begin(ctx, c)
	switch {
	case err != nil:
		return "try again later"
	case g.Verdict == backend.Replay:
		return "replayed: " + string(g.Answer)
	case g.Verdict != backend.Claimed:
		return "somebody else is at it"
	}
	_, err = store.Complete(ctx, c.ID, c.Token, backend.Completion{
		Fingerprint: c.Fingerprint, Answer: []byte("charged"), Retention: time.Hour,
	})
	if err != nil {
		return "charged, and not sure that it is written down"
	}
	return "charged"
}

// What does my code do while another attempt is in flight, and after that one crashed?
func ExampleStore_Advance() {
	ctx, store := context.Background(), new(memtest.Store)
	crashed := claim("order 1")
	_, _ = store.Begin(ctx, crashed)
	fmt.Println(charge(ctx, store, claim("order 1")))
	store.Advance(2 * time.Minute)
	fmt.Println(charge(ctx, store, claim("order 1")))
	fmt.Println(charge(ctx, store, claim("order 1")))
	// Output:
	// somebody else is at it
	// charged
	// replayed: charged
}

// What does my code do while the store is down?
func ExampleStore_Inject() {
	ctx, store := context.Background(), new(memtest.Store)
	down := store.Inject(memtest.Fault{Op: memtest.OpBegin, Count: -1})
	fmt.Println(charge(ctx, store, claim("order 1")))
	down.Remove()
	fmt.Println(charge(ctx, store, claim("order 1")))
	fmt.Println("hit:", down.Fired())
	// Output:
	// try again later
	// charged
	// hit: 1
}

// What does my code do when the store took the answer and the connection broke before it could say so?
func ExampleStore_Inject_answerLost() {
	ctx, store := context.Background(), new(memtest.Store)
	store.Inject(memtest.Fault{Op: memtest.OpComplete, Mode: memtest.LoseAck, Err: errors.New("connection reset")})
	fmt.Println(charge(ctx, store, claim("order 1")))
	fmt.Println(charge(ctx, store, claim("order 1")))
	// Output:
	// charged, and not sure that it is written down
	// replayed: charged
}

// Which calls does my code make?
func ExampleStore_Calls() {
	ctx, store := context.Background(), new(memtest.Store)
	store.StartLog()
	charge(ctx, store, claim("order 1"))
	charge(ctx, store, claim("order 1"))
	for _, call := range store.Calls() {
		fmt.Println(call.Op, call.Verdict)
	}
	// Output:
	// Begin Claimed
	// Complete Kept
	// Begin Replay
}

// An effect inside a transaction happens with its commit or not at all.
func ExampleTx_OnCommit() {
	ctx, store := context.Background(), new(memtest.Store)
	store.Inject(memtest.Fault{Op: memtest.OpCommit, Err: backend.ErrConflict})
	balance := 100
	pay := func(_ context.Context, tx *memtest.Tx, _ backend.TxStore) error {
		tx.OnCommit(func() { balance -= 10 })
		return nil
	}
	_, err := store.InTx(ctx, claim("order 1"), pay)
	fmt.Println(errors.Is(err, backend.ErrConflict), balance)
	_, err = store.InTx(ctx, claim("order 1"), pay)
	fmt.Println(err, balance)
	// Output:
	// true 100
	// <nil> 90
}
