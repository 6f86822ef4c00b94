package pq

import sqlbackend "github.com/idem-go/idem/backend/sql"

// settings are what this package's own options set.
type settings struct {
	silent bool   // nobody listens
	direct string // where to listen; "" is the pool's data source
}

func (s *settings) listens() bool { return !s.silent }

// WithoutListen is an option of Open: calls that wait for another's answer poll, four times a second, instead of being told
// on a connection beside the pool, which there otherwise is while somebody waits. In a URL it is listen=false. It is for a
// data source that leads through a pooler like PgBouncer in transaction mode, where notifications do not arrive.
func WithoutListen() sqlbackend.OpenOption {
	return sqlbackend.DriverOption("WithoutListen", func(s *settings) error {
		s.silent = true
		return nil
	})
}

// ListenOn is an option of Open: the connection for notifications is made with a data source of its own, which leads to the
// same database directly where the pool's leads through a pooler.
func ListenOn(dsn string) sqlbackend.OpenOption {
	return sqlbackend.DriverOption("ListenOn", func(s *settings) error {
		s.silent, s.direct = false, dsn
		_, err := connectorTo(dsn)
		return err
	})
}
