package sqlbackend

import (
	"context"
	"time"

	"github.com/idem-go/idem/backend"
)

// notifyChannel is where the ends of records are told, of all tables of a database.
const notifyChannel = "idem_ended"

// notifyEnd follows a statement that ends a claim. It notifies, when that commits, of a record that somebody waits for,
// and of no other: a commit with a notification queues behind one lock of the server, which would cost a busy one half of
// its throughput.
const notifyEnd = "\nRETURNING " + notifyMarked

// notifyMarked is the notification, where the row that was written has the mark.
const notifyMarked = "CASE WHEN waited = 1 THEN pg_notify('" + notifyChannel + "', encode(id, 'hex')) END"

// markWaited marks a pending record. It looks first and then writes only what is not marked yet; where another waiter
// marks it at the same moment it is written twice rather than missed. A takeover keeps the mark, a new claim has none.
const markWaited = `WITH seen AS MATERIALIZED (SELECT waited FROM {t} WHERE id = ?::bytea AND state = 1),
marked AS (UPDATE {t} SET waited = 1 WHERE id = ?::bytea AND state = 1 AND (SELECT waited FROM seen) = 0 RETURNING 1)
SELECT EXISTS (SELECT 1 FROM seen WHERE waited = 1) OR EXISTS (SELECT 1 FROM marked)`

func (e *postgresEngine) mark(ctx context.Context, id backend.ID) (there bool, err error) {
	err = e.write(ctx, func(ctx context.Context, on session) error {
		rows, err := on.query(ctx, e.waited, id[:], id[:])
		return one(rows, err, func(s scanner) error { return s.Scan(&there) })
	})
	return there, err
}

func (e *postgresEngine) notify(ctx context.Context, payload string) error {
	_, err := e.store.pool.exec(ctx, e.tell, payload)
	return err
}

// checkListener reports where notifications do not arrive.
func (e *postgresEngine) checkListener(ctx context.Context) []backend.Finding {
	l := e.store.config.listener
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listenerCheck)
	defer cancel()
	err := l.await(ctx)
	if err == nil {
		return nil
	}
	return []backend.Finding{{
		Severity: backend.Warning, Setting: "listener", Value: "not heard",
		Advice: "calls that wait ask every quarter of a second instead of being told: " + err.Error(),
	}}
}

// listenerCheck is for how long a check waits for a notification.
const listenerCheck = 3 * time.Second
