package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync/atomic"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// Payout is a row of the table payouts, and what clients get.
type Payout struct {
	ID        string `json:"id" db:"id"`
	User      string `json:"user" db:"user_id"`
	MarketID  string `json:"market_id" db:"market_id"`
	Amount    int64  `json:"amount" db:"amount"`
	CreatedAt string `json:"created_at" db:"created_at"`
}

// PayoutOrder is what a client asks for. idem compares it with the order that came first under the same key.
type PayoutOrder struct {
	MarketID string `json:"market_id"`
	Amount   int64  `json:"amount"`
}

// payouts is business logic: it knows of no HTTP, and could as well be called by a queue's consumer.
type payouts struct {
	db    *sqlx.DB
	guard *idem.Guard
	runs  *atomic.Int64
}

// pay pays once per user and key, whoever calls it and how often.
//
// With a Tx guard the row, the claim and the answer commit together: wherever the process dies, either all three are
// there or none. With another guard the records are in another database, so a crash between the two commits runs it
// again.
//
// It is detached: a client that hangs up does not undo what it asked for, and gets the answer when it asks again.
func (p *payouts) pay(ctx context.Context, key idem.Key, user idem.User, order PayoutOrder) (idem.Result[Payout], error) {
	operation, detached := idem.Operation("payout"), idem.Detached()
	if p.guard.Guarantee() == idem.Tx {
		return idem.DoTxResult(ctx, p.guard, key, user, order,
			func(ctx context.Context, tx *sqlx.Tx, order PayoutOrder) (Payout, error) {
				return p.insert(ctx, tx, user, order)
			}, operation, detached)
	}
	return idem.DoResult(ctx, p.guard, key, user, order,
		func(ctx context.Context, order PayoutOrder) (Payout, error) {
			return p.insert(ctx, p.db, user, order)
		}, operation, detached)
}

// insert writes through on alone: with DoTx that is the transaction.
func (p *payouts) insert(ctx context.Context, on sqlx.ExtContext, user idem.User, order PayoutOrder) (Payout, error) {
	p.runs.Add(1)
	fault := faultOf(ctx)
	if err := fault.before(); err != nil {
		return Payout{}, err
	}
	paid := Payout{ID: rand.Text(), User: string(user), MarketID: order.MarketID, Amount: order.Amount, CreatedAt: now()}
	_, err := sqlx.NamedExecContext(ctx, on, `
INSERT INTO payouts (id, user_id, market_id, amount, created_at)
VALUES (:id, :user_id, :market_id, :amount, :created_at)`, paid)
	if err != nil {
		return Payout{}, err
	}
	fault.after()
	return paid, nil
}

func (p *payouts) list(ctx context.Context, user idem.User) ([]Payout, error) {
	rows := []Payout{}
	err := p.db.SelectContext(ctx, &rows, `SELECT * FROM payouts WHERE user_id = ? ORDER BY rowid`, string(user))
	return rows, err
}

// postPayout only parses, in the order of the middleware: key, user, body. An invalid order is refused before anything
// is claimed, so that the key can be used for the corrected one.
func (s *server) postPayout(w http.ResponseWriter, r *http.Request) {
	key, err := httpadapter.KeyOf(r)
	if err != nil {
		httpadapter.WriteError(w, r, err)
		return
	}
	user, err := s.users.authenticate(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	order, err := readOrder(w, r)
	if err != nil {
		httpadapter.WriteError(w, r, err)
		return
	}
	result, err := s.payouts.pay(r.Context(), key, user, order)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if result.Replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	writeJSON(w, http.StatusCreated, result.Value)
}

func readOrder(w http.ResponseWriter, r *http.Request) (order PayoutOrder, err error) {
	if err := readJSON(w, r, &order); err != nil {
		return order, err
	}
	if err := checkMarket(order.MarketID); err != nil {
		return order, err
	}
	if order.Amount < 1 {
		return order, invalidMember("amount")
	}
	return order, nil
}

func (s *server) listPayouts(w http.ResponseWriter, r *http.Request, user idem.User) {
	rows, err := s.payouts.list(r.Context(), user)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, rows)
}
