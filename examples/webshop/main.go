// Webshop shows the two ways to guard an HTTP handler: the middleware, and a transaction of the handler's own.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/drivers/sqlite"
	"github.com/idem-go/idem/httpadapter"
)

type Order struct {
	ID   string `json:"id"`
	Item string `json:"item"`
}

type Payout struct {
	ID    int64 `json:"id"`
	Cents int64 `json:"cents"`
}

// account stands for what your authentication knows about a request.
func account(r *http.Request) (idem.User, error) {
	return idem.Scope("tenant-1", r.Header.Get("X-Account")), nil
}

func placeOrder(w http.ResponseWriter, r *http.Request) {
	var order Order
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, "not an order", http.StatusBadRequest)
		return
	}
	order.ID = "o-" + time.Now().Format("150405.000000")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(order)
}

// payout is business logic: the row, the claim and the answer commit together.
func payout(ctx context.Context, guard *idem.Guard, key idem.Key, user idem.User, req Payout) (Payout, error) {
	return idem.DoTx(ctx, guard, key, user, req, func(ctx context.Context, tx *sqlx.Tx, req Payout) (Payout, error) {
		res, err := tx.ExecContext(ctx, `INSERT INTO payouts (account, cents) VALUES (?, ?)`, string(user), req.Cents)
		if err != nil {
			return Payout{}, err
		}
		req.ID, err = res.LastInsertId()
		return req, err
	})
}

func main() {
	ctx := context.Background()
	db, store, err := sqlite.Open(ctx, "webshop.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.MustExec(`CREATE TABLE IF NOT EXISTS payouts (id INTEGER PRIMARY KEY, account TEXT NOT NULL, cents INTEGER NOT NULL)`)

	mux := http.NewServeMux()

	// The middleware: nothing changes in the handler.
	orders := idem.Must(idem.New("orders", store))
	guarded := idem.Must(httpadapter.New(orders, account))
	mux.Handle("POST /orders", guarded.Wrap(http.HandlerFunc(placeOrder)))

	// A transaction: the handler parses, business logic calls DoTx.
	payouts := idem.Must(idem.New("payouts", store, idem.Tx))
	mux.HandleFunc("POST /payouts", func(w http.ResponseWriter, r *http.Request) {
		key, err := httpadapter.KeyOf(r)
		if err != nil {
			httpadapter.WriteError(w, r, err)
			return
		}
		user, _ := account(r)
		var req Payout
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, "not a payout", http.StatusBadRequest)
			return
		}
		paid, err := payout(r.Context(), payouts, key, user, req)
		if err != nil {
			httpadapter.WriteError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(paid)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8081", mux)) //nolint:gosec // an example
}
