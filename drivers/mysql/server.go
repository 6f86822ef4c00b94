package mysql

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"
)

// server is what the connections of one Open are told about the server, which the first of them asks.
type server struct {
	mu      sync.Mutex
	version string // "" while it is not known
}

// suit gives a connection the variables that it needs on the server that is there. MariaDB before 11.1 knows the
// isolation level as tx_isolation only, MySQL since 8.0 as transaction_isolation only.
func (s *server) suit(ctx context.Context, c *mysql.Config) error {
	version, err := s.ask(ctx, c)
	if err != nil || strings.Contains(version, "MariaDB") {
		return err
	}
	if level, ok := c.Params["tx_isolation"]; ok {
		delete(c.Params, "tx_isolation")
		c.Params["transaction_isolation"] = level
	}
	if _, ok := c.Params["innodb_lock_wait_timeout"]; !ok {
		c.Params["innodb_lock_wait_timeout"] = "1"
	}
	return nil
}

// ask returns the server's version. It asks on a connection on which no variable is set that the server may not know.
func (s *server) ask(ctx context.Context, c *mysql.Config) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != "" {
		return s.version, nil
	}
	plain := c.Clone()
	plain.Params = nil
	if err := plain.Apply(mysql.BeforeConnect(nil)); err != nil {
		return "", err
	}
	connector, err := mysql.NewConnector(plain)
	if err != nil {
		return "", err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT VERSION()`).Scan(&s.version)
	return s.version, err
}
