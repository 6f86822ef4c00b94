package sqlbackend

import (
	"context"
	"encoding/binary"

	"github.com/idem-go/idem/backend"
)

// mysql8Ask claims on a server whose writes return no rows. A claim that was won is told by the number that the server's
// answer has for LAST_INSERT_ID, so that a first run, the common case, costs one round trip. Any other verdict is read
// by a second statement, since a replay has to fetch its answer anyway.
//
// The manual says of that number, https://dev.mysql.com/doc/c-api/8.0/en/mysql-insert-id.html: if LAST_INSERT_ID(expr)
// occurred in the statement, it is expr. It does not depend on clientFoundRows. Over a row that is there the expression
// of the update is the last to be evaluated, also where no column changes. Nothing is believed but the receipt of this
// very claim: a number that is an older one's, or none, as from a proxy that drops it, sends us to read the row, whose
// token decides.
type mysql8Ask struct {
	e           *mysqlEngine
	claim, lock *query
}

// newMySQL8Ask writes the claim. What is left of a receipt without its upper half is the attempt. A parameter that takes
// its type from the columns beside it would be too small for a receipt; the function's is as large as can be.
func newMySQL8Ask(e *mysqlEngine) mysqlAsk {
	return mysql8Ask{
		e:     e,
		claim: e.query(mysqlClaimText(`LAST_INSERT_ID(?) % 2147483648`, `attempt = LAST_INSERT_ID(attempt)`)),
		lock:  e.query(`SELECT ` + sightColumns + ` FROM {t} WHERE id = ? FOR UPDATE NOWAIT`),
	}
}

func (a mysql8Ask) needed() []*query { return []*query{a.lock, a.claim} }

// ask locks the record first where it is in a transaction, so that it does not wait for another's. For one who claims an
// absent or expired record at the same moment, and for the user's row, it waits as long as the session's
// innodb_lock_wait_timeout is.
func (a mysql8Ask) ask(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (sight, error) {
	if !how.alone {
		rows, err := on.query(ctx, a.lock, c.ID[:])
		if seen, err := a.e.read(rows, err, c); seen.there || err != nil {
			return seen, err
		}
	}
	guard, user, key := a.e.store.records.names(c)
	lease, first := milliseconds(c.Lease), receipt(c.Token)
	res, err := on.run(ctx, a.claim, c.ID[:], c.Token[:], c.Fingerprint[:], number(c.Hold), first, lease,
		number(c.Hold), lease+milliseconds(c.Retention), guard, user, key)
	if err != nil {
		return sight{}, a.e.discreet(err)
	}
	got, err := res.LastInsertId()
	if err != nil {
		return sight{}, err
	}
	if got == first {
		return sight{there: true, grant: backend.Grant{Verdict: backend.Claimed, Attempt: 1}}, nil
	}
	rows, err := on.query(ctx, a.e.lookAtOnce, c.ID[:])
	return a.e.read(rows, err, c)
}

// receipt is the number that says that the claim with this token was won: 31 random bits of the token and a 1 above them,
// over 31 bits for the attempt, which is the first.
func receipt(t backend.Token) int64 {
	return int64(binary.BigEndian.Uint32(t[:])|1<<31)<<31 + 1
}
