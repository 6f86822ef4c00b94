package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// side is one SQL database: idem in it, and beside it what somebody writes by hand.
type side struct {
	name    string
	dialect sqlbackend.Dialect

	db        *sqlx.DB // idem's pool, and of all that uses the same kind of statements
	bareDB    *sqlx.DB // of the bare statements: their cheapest way
	trips     func() int64
	bareTrips func() int64
	connect   driver.Connector // a connection as db has them
	prepared  bool             // the store prepares its statements on the pool
	counts    func(context.Context) (map[string]float64, error)
	drop      func(context.Context) error // removes what was made on the server; may be nil

	sql     texts
	store   *sqlbackend.Store
	grouped *sqlbackend.Store // with GroupCommit, on the same table and pool
	bare    *bare
	floor   *floor
}

// texts are the hand-written statements of a database, see docs/performance.md.
type texts struct {
	tables []string

	// Bare: an answer under a key, and nothing more. insert takes id, token, fingerprint; update answer, id; find id.
	insert, update, find string

	// The floor: claim takes what claimArgs gives, complete answer, id, token. Where looks is set, claim answers with a row
	// where something is in the way, else its affected rows tell.
	claim, complete string
	claimArgs       func(c *backend.Claim) []any
	claimReads      bool
	look            string // sent before the claim, where the floor does; takes id

	effect string // what fn writes

	// fill makes records: table, expires_at, how many, and a number to begin at go into it. settle, which may be empty, is
	// what a server does about a table some time after that. batch removes up to a thousand expired records of a table
	// "batched" in the order of expiry.
	fill, settle, batch string

	size    string // the bytes of a table's rows, and of its index
	expired string // an expression for an expires_at that is over, a different one for each row
}

// answerSize is that of the answers that are stored, in bytes.
const answerSize = 512

var answer = func() []byte {
	b := make([]byte, answerSize)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}()

// open makes the tables and the store. It must be called once, before anything else.
func (s *side) open(ctx context.Context) error {
	for _, text := range s.sql.tables {
		if _, err := s.db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	if err := sqlbackend.Migrate(ctx, s.db, s.dialect); err != nil {
		return err
	}
	var err error
	if s.store, err = sqlbackend.New(ctx, s.db, s.dialect); err != nil {
		return err
	}
	if s.grouped, err = sqlbackend.New(ctx, s.db, s.dialect, sqlbackend.GroupCommit()); err != nil {
		return err
	}
	if s.bare, err = newBare(ctx, s); err != nil {
		return err
	}
	s.floor, err = newFloor(ctx, s)
	return err
}

// close removes what open made.
func (s *side) close(ctx context.Context) error {
	err := s.db.Close()
	if s.bareDB != s.db {
		err = errors.Join(err, s.bareDB.Close())
	}
	if s.drop != nil {
		err = errors.Join(err, s.drop(ctx))
	}
	return err
}

// pool has all connections ready that so many callers need.
func pool(db *sqlx.DB, conns int) *sqlx.DB {
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

// freshName is a name that nothing else on a server has.
func freshName() string { return "idem_bench_" + strings.ToLower(rand.Text()[:12]) }

// statement is one that is sent as text, or prepared.
type statement struct {
	text string
	db   *sqlx.DB
	stmt *sql.Stmt
}

func prepare(ctx context.Context, db *sqlx.DB, text string, prepared bool) (*statement, error) {
	q := &statement{text: text, db: db}
	if !prepared {
		return q, nil
	}
	var err error
	q.stmt, err = db.PrepareContext(ctx, text)
	return q, err
}

func (q *statement) exec(ctx context.Context, args ...any) error {
	var res sql.Result
	var err error
	if q.stmt != nil {
		res, err = q.stmt.ExecContext(ctx, args...)
	} else {
		res, err = q.db.ExecContext(ctx, q.text, args...)
	}
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n < 1 {
		return fmt.Errorf("%d rows, %w", n, err)
	}
	return nil
}

func (q *statement) query(ctx context.Context, args ...any) *sql.Row {
	if q.stmt != nil {
		return q.stmt.QueryRowContext(ctx, args...)
	}
	return q.db.QueryRowContext(ctx, q.text, args...)
}

// bare keeps an answer under a key, and nothing more.
type bare struct{ insert, update, find *statement }

func newBare(ctx context.Context, s *side) (*bare, error) {
	// SQLite's cheapest way is a prepared statement, MariaDB's without one an interpolated text, pgx prepares by itself.
	prepared := s.prepared && s.bareDB == s.db
	var b bare
	var err error
	for _, q := range []struct {
		to   **statement
		text string
	}{{&b.insert, s.sql.insert}, {&b.update, s.sql.update}, {&b.find, s.sql.find}} {
		if *q.to, err = prepare(ctx, s.bareDB, q.text, prepared); err != nil {
			return nil, err
		}
	}
	return &b, nil
}

func (b *bare) first(ctx context.Context, c *backend.Claim) error {
	if err := b.insert.exec(ctx, c.ID[:], c.Token[:], c.Fingerprint[:]); err != nil {
		return err
	}
	return b.update.exec(ctx, answer, c.ID[:])
}

func (b *bare) replay(ctx context.Context, c *backend.Claim) error {
	var fingerprint, kept []byte
	var state int
	return b.find.query(ctx, c.ID[:]).Scan(&fingerprint, &state, &kept)
}

// floor is the cheapest correct protocol.
type floor struct {
	side                  *side
	look, claim, complete *statement
}

func newFloor(ctx context.Context, s *side) (*floor, error) {
	f := &floor{side: s}
	var err error
	if s.sql.look != "" {
		if f.look, err = prepare(ctx, s.db, s.sql.look, s.prepared); err != nil {
			return nil, err
		}
	}
	if f.claim, err = prepare(ctx, s.db, s.sql.claim, s.prepared); err != nil {
		return nil, err
	}
	f.complete, err = prepare(ctx, s.db, s.sql.complete, s.prepared)
	return f, err
}

// begin claims, and reports whether the claim was won.
func (f *floor) begin(ctx context.Context, c *backend.Claim) (bool, error) {
	var fingerprint, kept, token []byte
	var state int
	if f.look != nil {
		err := f.look.query(ctx, c.ID[:]).Scan(&fingerprint, &state, &kept)
		if !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
	}
	args := f.side.sql.claimArgs(c)
	if !f.side.sql.claimReads {
		return true, f.claim.exec(ctx, args...)
	}
	err := f.claim.query(ctx, args...).Scan(&token, &fingerprint, &state, &kept)
	return string(token) == string(c.Token[:]), err
}

func (f *floor) first(ctx context.Context, c *backend.Claim) error {
	mine, err := f.begin(ctx, c)
	if err == nil && !mine {
		err = errors.New("not claimed")
	}
	if err != nil {
		return err
	}
	return f.complete.exec(ctx, answer, c.ID[:], c.Token[:])
}

func (f *floor) replay(ctx context.Context, c *backend.Claim) error {
	mine, err := f.begin(ctx, c)
	if err == nil && mine {
		err = errors.New("claimed")
	}
	return err
}

// fresh is the claim of a call that nobody has made.
func fresh() *backend.Claim {
	c := &backend.Claim{Token: backend.NewToken(), Lease: time.Minute, Retention: time.Hour, Guard: "bench", User: "user-1234", Key: "0123456789abcdef0123456789abcdef"}
	_, _ = rand.Read(c.ID[:])
	_, _ = rand.Read(c.Fingerprint[:])
	return c
}

// again is another attempt at the same request.
func again(c *backend.Claim) *backend.Claim {
	other := *c
	other.Token = backend.NewToken()
	return &other
}

// payment is a request as an application has them, and receipt its answer.
type payment struct {
	Account string
	Cents   int64
}

type receipt struct{ Text string }

// reply is as large, in the store, as the answers of the bare statements.
var reply = receipt{Text: string(answer[:answerSize-len(`{"Text":""}`)])}

func pay(context.Context, payment) (receipt, error) { return reply, nil }

func freshKey() idem.Key { return idem.Key(rand.Text()) }
