package sqltest

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
)

// tap is a connector whose connections tell what they do. They have every optional interface of database/sql, and say
// that they skip it where the connection behind does not have it.
type tap struct {
	driver.Connector
	wire

	before atomic.Pointer[func()]                // called once, before the next COMMIT
	commit atomic.Pointer[func(driver.Tx) error] // in place of the next COMMIT
	exec   atomic.Pointer[func()]                // called once, before the next prepared statement that writes
}

func (t *tap) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := t.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &tappedConn{Conn: conn, on: t}, nil
}

type tappedConn struct {
	driver.Conn
	on *tap
}

func (c *tappedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return tappedTx{tx, c.on}, nil
}

func (c *tappedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &tappedStmt{Stmt: stmt, on: c.on}, nil
}

func (c *tappedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if inner, ok := c.Conn.(driver.ExecerContext); ok {
		return inner.ExecContext(ctx, text, args)
	}
	return nil, driver.ErrSkip
}

func (c *tappedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if inner, ok := c.Conn.(driver.QueryerContext); ok {
		return inner.QueryContext(ctx, text, args)
	}
	return nil, driver.ErrSkip
}

func (c *tappedConn) CheckNamedValue(v *driver.NamedValue) error {
	if inner, ok := c.Conn.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *tappedConn) ResetSession(ctx context.Context) error {
	if inner, ok := c.Conn.(driver.SessionResetter); ok {
		return inner.ResetSession(ctx)
	}
	return nil
}

func (c *tappedConn) IsValid() bool {
	if inner, ok := c.Conn.(driver.Validator); ok {
		return inner.IsValid()
	}
	return true
}

type tappedStmt struct {
	driver.Stmt
	on *tap
}

func (s *tappedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if exec := s.on.exec.Swap(nil); exec != nil {
		(*exec)()
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *tappedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *tappedStmt) CheckNamedValue(v *driver.NamedValue) error {
	if inner, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type tappedTx struct {
	driver.Tx
	on *tap
}

func (t tappedTx) Commit() error {
	if before := t.on.before.Swap(nil); before != nil {
		(*before)()
	}
	if commit := t.on.commit.Swap(nil); commit != nil {
		return (*commit)(t.Tx)
	}
	return t.Tx.Commit()
}
