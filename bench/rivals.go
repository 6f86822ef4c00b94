package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/idem-go/idem"
)

// rivals are what people use instead on PostgreSQL, each in a schema of its own in the same database: a workflow of DBOS under
// the key as its id, which runs once and whose result comes back, and a job of river that is inserted once, which keeps no
// answer and runs nothing.
type rivals struct {
	beside *side // idem, on the same server
	schema string
	pool   *pgxpool.Pool
	dbos   dbos.Context
	river  *river.Client[pgx.Tx]
}

// paymentJob is a job that is unique by its arguments.
type paymentJob struct {
	ID      string `river:"unique"`
	Account string
	Cents   int64
}

func (paymentJob) Kind() string { return "payment" }

// workflow is pay as DBOS wants it.
func workflow(ctx dbos.Context, p payment) (receipt, error) { return pay(ctx, p) }

func openRivals(ctx context.Context, url string, conns int, beside *side) (*rivals, error) {
	r := &rivals{beside: beside, schema: freshName()}
	var err error
	if r.pool, err = rivalPool(ctx, url, conns); err != nil {
		return nil, err
	}
	if _, err = r.pool.Exec(ctx, `CREATE SCHEMA `+r.schema); err != nil {
		return nil, err
	}
	if err = r.startRiver(ctx); err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	theirs, err := rivalPool(ctx, url, conns) // DBOS closes it
	if err != nil {
		return nil, err
	}
	if err = r.startDBOS(ctx, theirs); err != nil {
		return nil, fmt.Errorf("DBOS: %w", err)
	}
	return r, nil
}

func rivalPool(ctx context.Context, url string, conns int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(max(4, conns))
	return pgxpool.NewWithConfig(ctx, config)
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func (r *rivals) startRiver(ctx context.Context) error {
	driver := riverpgxv5.New(r.pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Schema: r.schema, Logger: silent()})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	r.river, err = river.NewClient(driver, &river.Config{Schema: r.schema, Logger: silent()})
	return err
}

func (r *rivals) startDBOS(ctx context.Context, pool *pgxpool.Pool) (err error) {
	r.dbos, err = dbos.NewContext(ctx, dbos.Config{AppName: "bench", SystemDBPool: pool, DatabaseSchema: r.schema + "_dbos", Logger: silent()})
	if err != nil {
		return err
	}
	dbos.RegisterWorkflow(r.dbos, workflow)
	return dbos.Launch(r.dbos)
}

// close removes what was made.
func (r *rivals) close(ctx context.Context) error {
	err := dbos.Shutdown(r.dbos, 10*time.Second)
	for _, schema := range []string{r.schema, r.schema + "_dbos"} {
		_, dropped := r.pool.Exec(ctx, `DROP SCHEMA IF EXISTS `+schema+` CASCADE`)
		err = errors.Join(err, dropped)
	}
	r.pool.Close()
	return err
}

// runWorkflow runs a workflow under an id, or gets the result of the one that ran.
func (r *rivals) runWorkflow(id string) error {
	handle, err := dbos.RunWorkflow(r.dbos, workflow, payment{"account", 500}, dbos.WithWorkflowID(id))
	if err != nil {
		return err
	}
	_, err = handle.GetResult()
	return err
}

// insert inserts a job, or finds that it is there.
func (r *rivals) insert(ctx context.Context, id string) (*rivertype.JobInsertResult, error) {
	return r.river.Insert(ctx, paymentJob{ID: id, Account: "account", Cents: 500}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
}

// contests are idem's first run and replay beside the rivals'.
func (r *rivals) contests(ctx context.Context) ([]*contest, error) {
	s := r.beside
	g, err := idem.New("bench-rivals", s.store)
	if err != nil {
		return nil, err
	}
	keys := make([]idem.Key, replays)
	for i := range keys {
		keys[i] = freshKey()
		_, err := idem.Do(ctx, g, keys[i], "user-1234", payment{"account", 500}, pay)
		_, inserted := r.insert(ctx, string(keys[i]))
		if err := errors.Join(err, inserted, r.runWorkflow(string(keys[i]))); err != nil {
			return nil, err
		}
	}
	next := turns(keys)
	return []*contest{
		{name: "PostgreSQL, others: first run", contestants: []contestant{
			{"idem.Do", func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, freshKey(), "user-1234", payment{"account", 500}, pay)
				return err
			}, s.trips},
			{"DBOS Go, a workflow", func(context.Context) error { return r.runWorkflow(string(freshKey())) }, nil},
			{"river, a unique job that nobody works", func(ctx context.Context) error {
				res, err := r.insert(ctx, string(freshKey()))
				if err == nil && res.UniqueSkippedAsDuplicate {
					err = errors.New("it was there")
				}
				return err
			}, nil},
		}},
		{name: "PostgreSQL, others: replay", contestants: []contestant{
			{"idem.Do", func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, next(), "user-1234", payment{"account", 500}, mustNotPay)
				return err
			}, s.trips},
			{"DBOS Go, a workflow", func(context.Context) error { return r.runWorkflow(string(next())) }, nil},
			{"river, a unique job again, no answer", func(ctx context.Context) error {
				res, err := r.insert(ctx, string(next()))
				if err == nil && !res.UniqueSkippedAsDuplicate {
					err = errors.New("it was not there")
				}
				return err
			}, nil},
		}},
	}, nil
}
