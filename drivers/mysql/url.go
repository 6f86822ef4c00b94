package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/idem-go/idem/backend"
)

func init() { backend.Register("mysql", openURL) }

func openURL(ctx context.Context, address string) (backend.Handle, error) {
	db, store, err := Open(ctx, address)
	if err != nil {
		return backend.Handle{}, err
	}
	return backend.Handle{Store: store, Close: db.Close}, nil
}

// parseURL reads what Open takes. What is in the query, beside the socket, goes to the driver as it is.
func parseURL(address string) (*mysql.Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "mysql" || u.Opaque != "" || u.Fragment != "" {
		return nil, errors.New("the address must be mysql://user:password@host:port/database, with what has a meaning of its own percent-encoded")
	}
	database := strings.TrimPrefix(u.Path, "/")
	if database == "" || strings.Contains(database, "/") {
		return nil, errors.New("the address must name one database, after the host and a slash")
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the query cannot be read: it must be NAME=VALUE, joined by &")
	}
	for name, all := range values {
		if len(all) != 1 {
			return nil, fmt.Errorf("the parameter %s is given more than once", name)
		}
	}
	socket := values.Get("socket")
	values.Del("socket")
	c, err := driverConfig(values)
	if err != nil {
		return nil, err
	}
	c.User, c.DBName = u.User.Username(), database
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", hostPort(u)
	if socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	return c, nil
}

func hostPort(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = "3306"
	}
	return net.JoinHostPort(host, port)
}

// driverConfig is what the driver makes of its own parameters. It does not log: what it has to say are errors.
func driverConfig(values url.Values) (*mysql.Config, error) {
	_, isolation := values["tx_isolation"]
	if _, also := values["transaction_isolation"]; !isolation && !also {
		values.Set("tx_isolation", "'READ-COMMITTED'")
	}
	c, err := mysql.ParseDSN("/?" + values.Encode())
	if err != nil {
		return nil, fmt.Errorf("a parameter of the driver: %w", err)
	}
	c.Logger = &mysql.NopLogger{}
	return c, nil
}
