package pgx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// NewListener returns a listener for sqlbackend.WithListener with a connection of its own to the database that dsn names,
// for an application that opens the pool itself: it closes the listener, or opens the pool on its Connector. dsn must lead
// to the database of the records directly, not through a pooler in transaction mode. Nothing is connected before somebody
// waits. Errors never repeat dsn.
func NewListener(dsn string) (*sqlbackend.Listener, error) {
	parsed, err := parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("pgx: %w", err)
	}
	return listenerOn(parsed), nil
}

// A connection that is silent may be dead: then it is asked.
const (
	silence = time.Minute
	answer  = 10 * time.Second
)

func listenerOn(parsed *pgx.ConnConfig) *sqlbackend.Listener {
	return sqlbackend.NewListener(func(ctx context.Context, channel string, listening func() error, heard func(string)) error {
		conn, err := pgx.ConnectConfig(ctx, parsed.Copy())
		if err != nil {
			return err
		}
		defer hangUp(conn)
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
		if err := listening(); err != nil {
			return err
		}
		for {
			payload, err := next(ctx, conn)
			if err != nil {
				return err
			}
			heard(payload)
		}
	})
}

// next waits for a notification.
func next(ctx context.Context, conn *pgx.Conn) (payload string, err error) {
	for {
		wait, cancel := context.WithTimeout(ctx, silence)
		n, err := conn.WaitForNotification(wait)
		quiet := wait.Err() != nil && ctx.Err() == nil && !conn.IsClosed()
		cancel()
		if err == nil {
			return n.Payload, nil
		}
		if !quiet {
			return "", err
		}
		ask, cancel := context.WithTimeout(ctx, answer)
		err = conn.Ping(ask)
		cancel()
		if err != nil {
			return "", errors.Join(errors.New("the server does not answer"), err)
		}
	}
}

// hangUp closes the connection, politely if the server listens.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
