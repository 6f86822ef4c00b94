package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// contests are the three that every SQL database has: a first run, a replay, and a transaction.
func (s *side) contests(ctx context.Context) ([]*contest, error) {
	plain, err := idem.New("bench", s.store)
	if err != nil {
		return nil, err
	}
	tx, err := idem.New("bench-tx", s.store, idem.Tx)
	if err != nil {
		return nil, err
	}
	byHand, err := s.byHand(ctx)
	if err != nil {
		return nil, fmt.Errorf("write down what the store sends: %w", err)
	}
	replay, err := s.replay(ctx, plain, byHand)
	if err != nil {
		return nil, err
	}
	group, err := s.together()
	if err != nil {
		return nil, err
	}
	return []*contest{s.first(plain, byHand), replay, s.transaction(tx), group}, nil
}

// bySelf is idem's own statements, sent by hand.
type bySelf struct{ first, replay *hand }

// byHand writes down what a store sends, on a connection of its own.
func (s *side) byHand(ctx context.Context) (*bySelf, error) {
	writer := &scribe{Connector: s.connect}
	db := sqlx.NewDb(sql.OpenDB(writer), s.db.DriverName())
	defer db.Close()
	db.SetMaxOpenConns(1)
	store, err := sqlbackend.New(ctx, db, s.dialect)
	if err != nil {
		return nil, err
	}
	c := fresh()
	first, err := writer.record(func() error { return storeFirst(ctx, store, c) })
	if err != nil {
		return nil, err
	}
	retry := again(c)
	replay, err := writer.record(func() error { return storeReplay(ctx, store, retry) })
	if err != nil {
		return nil, err
	}
	var b bySelf
	if b.first, err = newHand(ctx, s.db, first.played(c, answer), s.prepared); err != nil {
		return nil, err
	}
	b.replay, err = newHand(ctx, s.db, replay.played(retry, nil), s.prepared)
	return &b, err
}

func storeFirst(ctx context.Context, s backend.Store, c *backend.Claim) error {
	g, err := s.Begin(ctx, *c)
	if err == nil && g.Verdict != backend.Claimed {
		err = fmt.Errorf("begin: %v", g.Verdict)
	}
	if err != nil {
		return err
	}
	g, err = s.Complete(ctx, c.ID, c.Token, backend.Completion{Fingerprint: c.Fingerprint, Answer: answer, Retention: c.Retention})
	if err == nil && g.Verdict != backend.Kept {
		err = fmt.Errorf("complete: %v", g.Verdict)
	}
	return err
}

func storeReplay(ctx context.Context, s backend.Store, c *backend.Claim) error {
	g, err := s.Begin(ctx, *c)
	if err == nil && g.Verdict != backend.Replay {
		err = fmt.Errorf("begin: %v", g.Verdict)
	}
	return err
}

func (s *side) first(g *idem.Guard, byHand *bySelf) *contest {
	return &contest{name: s.name + ": first run", counts: s.counts, contestants: []contestant{
		{"bare insert + update", func(ctx context.Context) error { return s.bare.first(ctx, fresh()) }, s.bareTrips},
		{"cheapest correct protocol", func(ctx context.Context) error { return s.floor.first(ctx, fresh()) }, s.trips},
		{"idem's statements by hand", func(ctx context.Context) error { return byHand.first.play(ctx, fresh(), answer) }, s.trips},
		{"idem.Do", func(ctx context.Context) error {
			_, err := idem.Do(ctx, g, freshKey(), "user-1234", payment{"account", 500}, pay)
			return err
		}, s.trips},
	}}
}

// together measures what it brings that calls share statements.
func (s *side) together() (*contest, error) {
	var all []contestant
	for _, c := range []struct {
		name  string
		store *sqlbackend.Store
	}{{"idem.Do", s.store}, {"idem.Do, GroupCommit", s.grouped}} {
		g, err := idem.New("bench-group", c.store)
		if err != nil {
			return nil, err
		}
		all = append(all,
			contestant{c.name, func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, freshKey(), "user-1234", payment{"account", 500}, pay)
				return err
			}, s.trips})
	}
	bare := contestant{"bare insert + update", func(ctx context.Context) error { return s.bare.first(ctx, fresh()) }, s.bareTrips}
	return &contest{name: s.name + ": together", counts: s.counts, shares: true, contestants: append([]contestant{bare}, all...)}, nil
}

// awaySide is a database that is far away, of which only that is measured.
type awaySide struct{ *side }

func (s awaySide) contests(context.Context) ([]*contest, error) {
	c, err := s.together()
	return []*contest{c}, err
}

var errRan = errors.New("it ran")

func mustNotPay(context.Context, payment) (receipt, error) { return receipt{}, errRan }

// replays is how many records the replays go round: as in life, two callers seldom ask for one at the same moment.
const replays = 512

func (s *side) replay(ctx context.Context, g *idem.Guard, byHand *bySelf) (*contest, error) {
	claims, keys := make([]*backend.Claim, replays), make([]idem.Key, replays)
	for i := range replays {
		c := fresh()
		claims[i], keys[i] = c, freshKey()
		if err := errors.Join(s.bare.first(ctx, c), s.floor.first(ctx, c), storeFirst(ctx, s.store, c)); err != nil {
			return nil, err
		}
		if _, err := idem.Do(ctx, g, keys[i], "user-1234", payment{"account", 500}, pay); err != nil {
			return nil, err
		}
	}
	next, nextKey := turns(claims), turns(keys)
	return &contest{name: s.name + ": replay", counts: s.counts, contestants: []contestant{
		{"bare select", func(ctx context.Context) error { return s.bare.replay(ctx, next()) }, s.bareTrips},
		{"cheapest correct protocol", func(ctx context.Context) error { return s.floor.replay(ctx, again(next())) }, s.trips},
		{"idem's statements by hand", func(ctx context.Context) error { return byHand.replay.play(ctx, again(next()), nil) }, s.trips},
		{"idem.Do", func(ctx context.Context) error {
			_, err := idem.Do(ctx, g, nextKey(), "user-1234", payment{"account", 500}, mustNotPay)
			return err
		}, s.trips},
	}}, nil
}

// turns returns a function that goes round all of them, for any number of callers.
func turns[T any](all []T) func() T {
	var turn atomic.Uint64
	return func() T { return all[turn.Add(1)%uint64(len(all))] }
}

// transaction measures against the bare statements around fn's own, in one transaction of the same pool.
func (s *side) transaction(g *idem.Guard) *contest {
	return &contest{name: s.name + ": transaction", counts: s.counts, contestants: []contestant{
		{"insert + fn + update", func(ctx context.Context) error {
			c := fresh()
			return s.inTx(ctx, s.bareDB, func(tx *sqlx.Tx) error {
				if _, err := tx.ExecContext(ctx, s.sql.insert, c.ID[:], c.Token[:], c.Fingerprint[:]); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, s.sql.effect); err != nil {
					return err
				}
				_, err := tx.ExecContext(ctx, s.sql.update, answer, c.ID[:])
				return err
			})
		}, s.bareTrips},
		{"fn alone", func(ctx context.Context) error {
			return s.inTx(ctx, s.bareDB, func(tx *sqlx.Tx) error {
				_, err := tx.ExecContext(ctx, s.sql.effect)
				return err
			})
		}, s.bareTrips},
		{"idem.DoTx", func(ctx context.Context) error {
			_, err := idem.DoTx(ctx, g, freshKey(), "user-1234", payment{"account", 500}, func(ctx context.Context, tx *sqlx.Tx, _ payment) (receipt, error) {
				_, err := tx.ExecContext(ctx, s.sql.effect)
				return reply, err
			})
			return err
		}, s.trips},
	}}
}

func (s *side) inTx(ctx context.Context, db *sqlx.DB, f func(*sqlx.Tx) error) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
