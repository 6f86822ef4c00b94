package main

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// script is what a store sent for one call: its statements in their order, with the places where values of the call stand.
// Sent again by hand, with new values, it is what the library's own part is measured against.
type script []line

type line struct {
	text  string
	reads bool
	args  []any // a role where a value of the call belongs
}

// role is a value that differs from call to call.
type role int

const (
	roleID role = iota
	roleToken
	roleFingerprint
	roleAnswer
)

// scribe is a connector that writes down what is sent through it.
type scribe struct {
	driver.Connector

	mu    sync.Mutex
	lines script
}

func (s *scribe) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &scribedConn{Conn: c, by: s}, nil
}

// take returns what was sent since the last take.
func (s *scribe) take() script {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.lines
	s.lines = nil
	return all
}

func (s *scribe) write(text string, reads bool, args []driver.NamedValue) {
	l := line{text: text, reads: reads}
	for _, a := range args {
		if b, ok := a.Value.([]byte); ok {
			a.Value = bytes.Clone(b)
		}
		l.args = append(l.args, a.Value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, l)
}

// scribedConn has no way past a prepared statement, which is where it writes down.
type scribedConn struct {
	driver.Conn
	by *scribe
}

func (c *scribedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &scribedStmt{Stmt: s, text: text, by: c.by}, nil
}

func (c *scribedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

type scribedStmt struct {
	driver.Stmt
	text string
	by   *scribe
}

func (s *scribedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.by.write(s.text, false, args)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *scribedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.by.write(s.text, true, args)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// played returns the script with roles where the values of the claim and its answer stand.
func (s script) played(c *backend.Claim, answer []byte) script {
	var out script
	for _, l := range s {
		args := make([]any, len(l.args))
		for i, a := range l.args {
			args[i] = a
			b, ok := a.([]byte)
			switch {
			case !ok:
			case bytes.Equal(b, c.ID[:]):
				args[i] = roleID
			case bytes.Equal(b, c.Token[:]):
				args[i] = roleToken
			case bytes.Equal(b, c.Fingerprint[:]):
				args[i] = roleFingerprint
			case bytes.Equal(b, answer):
				args[i] = roleAnswer
			}
		}
		out = append(out, line{text: l.text, reads: l.reads, args: args})
	}
	return out
}

// hand sends a script's lines. Where prepared is true it prepares them once, as the store does on such a pool.
type hand struct {
	lines []*handLine
}

type handLine struct {
	line
	stmt    *sql.Stmt // nil: sent as text
	db      *sqlx.DB
	once    sync.Once
	columns []string // of what it reads
}

func newHand(ctx context.Context, db *sqlx.DB, s script, prepared bool) (*hand, error) {
	h := &hand{}
	for _, l := range s {
		hl := &handLine{line: l, db: db}
		if prepared {
			stmt, err := db.PrepareContext(ctx, l.text)
			if err != nil {
				return nil, err
			}
			hl.stmt = stmt
		}
		h.lines = append(h.lines, hl)
	}
	return h, nil
}

// play sends the lines with the values of c.
func (h *hand) play(ctx context.Context, c *backend.Claim, answer []byte) error {
	for i := range h.lines {
		if err := h.lines[i].send(ctx, c, answer); err != nil {
			return err
		}
	}
	return nil
}

func (l *handLine) send(ctx context.Context, c *backend.Claim, answer []byte) error {
	args := make([]any, len(l.args))
	for i, a := range l.args {
		args[i] = a
		if r, ok := a.(role); ok {
			args[i] = [...][]byte{roleID: c.ID[:], roleToken: c.Token[:], roleFingerprint: c.Fingerprint[:], roleAnswer: answer}[r]
		}
	}
	if l.reads {
		return l.read(ctx, args)
	}
	var res sql.Result
	var err error
	if l.stmt != nil {
		res, err = l.stmt.ExecContext(ctx, args...)
	} else {
		res, err = l.db.ExecContext(ctx, l.text, args...)
	}
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("%d rows", n)
	}
	return err
}

// handRow is what a look reads: more than any has columns.
type handRow struct {
	number [16]int64
	bytes  [16][]byte
}

func (l *handLine) read(ctx context.Context, args []any) error {
	var rows *sql.Rows
	var err error
	if l.stmt != nil {
		rows, err = l.stmt.QueryContext(ctx, args...)
	} else {
		rows, err = l.db.QueryContext(ctx, l.text, args...)
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return rows.Err() // a look that finds nothing
	}
	l.once.Do(func() { l.columns, err = rows.Columns() })
	if err != nil {
		return err
	}
	var r handRow
	dest := make([]any, len(l.columns))
	for i, name := range l.columns {
		switch name {
		case "id", "token", "fingerprint", "answer":
			dest[i] = &r.bytes[i]
		default:
			dest[i] = &r.number[i]
		}
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Close()
}

// record has a store do f once, and returns what it sent.
func (s *scribe) record(f func() error) (script, error) {
	s.take()
	if err := f(); err != nil {
		return nil, err
	}
	lines := s.take()
	if len(lines) == 0 {
		return nil, errors.New("the store sent nothing")
	}
	return lines, nil
}
