// Quickstart is idem in twenty lines: run it twice, and the second time nothing is charged.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/drivers/sqlite"
)

type Payment struct {
	Account string
	Cents   int64
}

type Receipt struct{ ID string }

func chargeCard(ctx context.Context, p Payment) (Receipt, error) {
	fmt.Println("charging", p.Cents, "cents")
	return Receipt{ID: "ch_1"}, nil
}

func main() {
	ctx := context.Background()
	store, err := backend.Open(ctx, "sqlite:quickstart.db")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	guard := idem.Must(idem.New("payments", store.Store))

	receipt, err := idem.Do(ctx, guard, "key-from-the-client", "account-7", Payment{"acct", 500}, chargeCard)
	fmt.Println(receipt.ID, err)
}
