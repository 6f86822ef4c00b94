package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/drivers/sqlite"
)

type payout struct {
	Account string `json:"account"`
	Cents   int    `json:"cents"`
}

// The application's table is in the same file as idem's, so a payout, the claim on it and its answer commit together.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "payouts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, store, err := sqlite.Open(ctx, filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.MustExec(`CREATE TABLE payouts (account TEXT NOT NULL, cents INTEGER NOT NULL)`)

	guard, err := idem.New("payouts", store, idem.Tx)
	if err != nil {
		log.Fatal(err)
	}
	pay := func(ctx context.Context, tx *sqlx.Tx, p payout) (int64, error) {
		res, err := tx.ExecContext(ctx, `INSERT INTO payouts VALUES (?, ?)`, p.Account, p.Cents)
		if err != nil {
			return 0, err
		}
		return res.LastInsertId()
	}
	for range 3 {
		number, err := idem.DoTx(ctx, guard, "8e03978e", "alice", payout{"NL02", 500}, pay)
		fmt.Println(number, err)
	}
	var paid int
	fmt.Println(db.Get(&paid, `SELECT count(*) FROM payouts`), paid)
	// Output:
	// 1 <nil>
	// 1 <nil>
	// 1 <nil>
	// <nil> 1
}
