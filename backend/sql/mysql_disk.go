package sqlbackend

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
)

// mysqlDisk sees to it that nobody is told an answer that is not on disk. InnoDB shows a commit to others before it is there,
// some milliseconds later, which is when its owner is told. So an answer that was only read may be one that a crash takes
// back, after which the call would run again. Before such an answer is told, a commit of our own puts everything on disk
// that was committed before it. It knows the last answers that are there.
type mysqlDisk struct {
	e     *mysqlEngine
	touch *query

	mu         sync.Mutex
	last, more map[backend.Token]struct{} // more becomes last when it is full
}

// fresh is the age from which on an answer is taken for durable: much longer than a flush takes, and than a caller of JoinTx
// should have his transaction open after the answer was stored in it.
const fresh = 10 * time.Second

// remembered is how many of the last answers are known, and up to twice as many.
const remembered = 4096

// mysqlTouch commits something, so that there is something to flush: the lease of what is done means nothing. What is set to
// what it is would not be written, so it grows.
const mysqlTouch = `UPDATE {t} SET lease_until = lease_until + 1 WHERE id = ? AND token = ? AND state = 2`

// errGone says that there is no such answer any more: it has been removed, or its record claimed anew, since it was read.
var errGone = errors.New("the answer has gone while it was read")

func (d *mysqlDisk) add(token backend.Token) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.more == nil || len(d.more) == remembered {
		d.last, d.more = d.more, make(map[backend.Token]struct{})
	}
	d.more[token] = struct{}{}
}

// has reports whether an answer that was read is on disk, for all that is known.
func (d *mysqlDisk) has(r *row) bool {
	if r.age >= fresh {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, last := d.last[r.token]
	_, more := d.more[r.token]
	return last || more
}

func (d *mysqlDisk) wrote(on session, token backend.Token) {
	if _, joins := on.(within); !joins {
		d.add(token)
	}
}

func (d *mysqlDisk) flush(ctx context.Context, on session, id backend.ID, r *row) error {
	if d.has(r) {
		return nil
	}
	var there bool
	touch := func(ctx context.Context, on session) (err error) {
		there, err = changed(on.exec(ctx, d.touch, id[:], r.token[:]))
		return err
	}
	if _, joins := on.(within); joins { // its snapshot may have what is gone
		return touch(ctx, on)
	}
	switch err := d.e.write(ctx, touch); {
	case err != nil:
		return err
	case !there:
		return errGone
	}
	d.add(r.token)
	return nil
}

// told is what came of a claim, once it may be told.
func (e *mysqlEngine) told(ctx context.Context, on session, c *backend.Claim, seen sight, err error) (backend.Grant, error) {
	if err == nil && seen.grant.Verdict == backend.Replay {
		return e.store.records.tell(ctx, on, c.ID, seen.row, seen.grant)
	}
	return seen.grant, err
}

// lasting asks again where the answer that it was told of has gone.
func (e *mysqlEngine) lasting(ctx context.Context, ask func() (backend.Grant, error)) (g backend.Grant, err error) {
	for round := range rounds {
		if g, err = ask(); !errors.Is(err, errGone) {
			return g, err
		}
		if err := pause(ctx, round); err != nil {
			return backend.Grant{}, err
		}
	}
	return g, err
}
