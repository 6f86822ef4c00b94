package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/http"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// Prediction is a row of the table predictions, and what clients get.
type Prediction struct {
	ID        string `json:"id" db:"id"`
	User      string `json:"user" db:"user_id"`
	MarketID  string `json:"market_id" db:"market_id"`
	Outcome   string `json:"outcome" db:"outcome"`
	Stake     int64  `json:"stake" db:"stake"`
	CreatedAt string `json:"created_at" db:"created_at"`
}

// postPrediction is an ordinary handler and knows nothing of keys: the middleware around it runs it once per user and
// key, and replays what it wrote, the 400s too. Only the fault headers are there for the demonstration.
func (s *server) postPrediction(w http.ResponseWriter, r *http.Request) {
	s.runs.Add(1)
	fault := faultOf(r.Context())
	if err := fault.before(); err != nil {
		s.refuse(w, r, err)
		return
	}
	p, err := readPrediction(w, r)
	if err != nil {
		httpadapter.WriteError(w, r, err)
		return
	}
	user, _ := httpadapter.UserOf(r.Context())
	p.ID, p.User, p.CreatedAt = rand.Text(), string(user), now()
	if err := s.insertPrediction(r.Context(), p); err != nil {
		s.refuse(w, r, err)
		return
	}
	fault.after()
	w.Header().Set("Location", "/predictions/"+p.ID)
	writeJSON(w, http.StatusCreated, p)
}

// readPrediction reads what the client may say of a prediction; what else it sends is overwritten.
func readPrediction(w http.ResponseWriter, r *http.Request) (Prediction, error) {
	var sent struct {
		MarketID string `json:"market_id"`
		Outcome  string `json:"outcome"`
		Stake    int64  `json:"stake"`
	}
	if err := readJSON(w, r, &sent); err != nil {
		return Prediction{}, err
	}
	if err := checkMarket(sent.MarketID); err != nil {
		return Prediction{}, err
	}
	switch {
	case sent.Outcome != "yes" && sent.Outcome != "no":
		return Prediction{}, invalidMember("outcome")
	case sent.Stake < 1:
		return Prediction{}, invalidMember("stake")
	}
	return Prediction{MarketID: sent.MarketID, Outcome: sent.Outcome, Stake: sent.Stake}, nil
}

// insertPrediction commits at once. If the process dies between this and the moment when the middleware has stored the
// answer, the retry inserts again: that is the guarantee Rerun. See payouts.go for the other way.
func (s *server) insertPrediction(ctx context.Context, p Prediction) error {
	_, err := s.store.db.NamedExecContext(ctx, `
INSERT INTO predictions (id, user_id, market_id, outcome, stake, created_at)
VALUES (:id, :user_id, :market_id, :outcome, :stake, :created_at)`, p)
	return err
}

func (s *server) listPredictions(w http.ResponseWriter, r *http.Request, user idem.User) {
	rows := []Prediction{}
	err := s.store.db.SelectContext(r.Context(), &rows, `SELECT * FROM predictions WHERE user_id = ? ORDER BY rowid`, string(user))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, rows)
}

// getPrediction is where a Location leads. Another user's prediction is not found.
func (s *server) getPrediction(w http.ResponseWriter, r *http.Request, user idem.User) {
	var p Prediction
	err := s.store.db.GetContext(r.Context(), &p, `SELECT * FROM predictions WHERE id = ? AND user_id = ?`, r.PathValue("id"), string(user))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		httpadapter.WriteError(w, r, &httpadapter.Problem{Status: http.StatusNotFound, Code: "no_such_prediction"})
	case err != nil:
		s.refuse(w, r, err)
	default:
		writeJSON(w, http.StatusOK, p)
	}
}
