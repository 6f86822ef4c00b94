package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// server is the API. It is made by newServer; its handlers may run concurrently.
type server struct {
	store   *store
	users   users
	payouts *payouts
	guard   *idem.Guard             // of predictions
	guarded *httpadapter.Middleware // the same, around HTTP handlers
	faults  bool
	runs    atomic.Int64 // how often a guarded handler ran; a transaction that is run again counts again
	log     *log.Logger
}

// newServer opens the databases and returns the API on them. The caller closes them, which run does.
func newServer(ctx context.Context, c config, to *log.Logger) (*server, error) {
	st, err := openStore(ctx, c.db, c.backend)
	if err != nil {
		return nil, err
	}
	s := &server{store: st, users: users{st.db, to}, faults: c.faults, log: to}
	if err := s.guardWith(ctx, c.lease); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return s, nil
}

// guardWith makes a guard for each route. Keys are each guard's own, so one key may be used once on both.
func (s *server) guardWith(ctx context.Context, lease time.Duration) (err error) {
	if s.guard, err = s.store.newGuard("predictions", idem.Rerun, lease, s.log); err != nil {
		return err
	}
	if s.guarded, err = httpadapter.New(s.guard, s.users.authenticate); err != nil {
		return err
	}
	payoutGuard, err := s.store.newGuard("payouts", s.store.payoutGuarantee(), lease, s.log)
	if err != nil {
		return err
	}
	s.payouts = &payouts{db: s.store.db, guard: payoutGuard, runs: &s.runs}
	return s.store.warn(ctx, s.guard, s.log)
}

// handler returns the routes.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /predictions", s.guarded.Wrap(http.HandlerFunc(s.postPrediction)))
	mux.HandleFunc("GET /predictions", s.authenticated(s.listPredictions))
	mux.HandleFunc("GET /predictions/{id}", s.authenticated(s.getPrediction))
	mux.HandleFunc("POST /payouts", s.postPayout)
	mux.HandleFunc("GET /payouts", s.authenticated(s.listPayouts))
	mux.HandleFunc("GET /healthz", s.getHealth)
	if !s.faults {
		return mux
	}
	mux.HandleFunc("GET /debug/executions", s.getExecutions)
	return steered(mux)
}

// authenticated is for the routes that only read.
func (s *server) authenticated(next func(http.ResponseWriter, *http.Request, idem.User)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, err := s.users.authenticate(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next(w, r, user)
	}
}

func (s *server) getExecutions(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]int64{"executions": s.runs.Load()})
}

// getHealth asks both databases.
func (s *server) getHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.store.ping(ctx, s.guard); err != nil {
		s.log.Printf("%s: %v", r.Pattern, err)
		httpadapter.WriteError(w, r, &httpadapter.Problem{Status: http.StatusServiceUnavailable, Code: "unhealthy"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// run serves on l until ctx ends. Then it takes no more requests, finishes those in flight, also those whose client has
// left, stops the pruner and closes the databases: in this order, since each needs the next.
func (s *server) run(ctx context.Context, l net.Listener) error {
	web := &http.Server{
		Handler:           s.handler(),
		ErrorLog:          s.log,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute, // else a body that never ends could hold up the end
		IdleTimeout:       2 * time.Minute,
	}
	pruning, stopPruning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPruning()
	var background sync.WaitGroup
	background.Go(func() { _ = s.guard.RunPruner(pruning, time.Hour) }) // trouble is told of what fails
	broken := make(chan error, 1)
	go func() { broken <- web.Serve(l) }()
	var err error
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	err = errors.Join(err, web.Shutdown(context.WithoutCancel(ctx)))
	stopPruning()
	background.Wait()
	return errors.Join(err, s.store.close())
}
