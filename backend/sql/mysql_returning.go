package sqlbackend

import (
	"context"

	"github.com/idem-go/idem/backend"
)

// mariaDBAsk is the whole of Begin in one statement, which returns the record as it is then, so that the token in it tells
// whose it is.
type mariaDBAsk struct {
	e                 *mysqlEngine
	atOnce, patiently *query
}

func newMariaDBAsk(e *mysqlEngine) mysqlAsk {
	text := mysqlClaimText(`1`, `id = id`) + `
RETURNING ` + sightColumns
	return mariaDBAsk{e: e, atOnce: e.query(e.server.atOnce + text), patiently: e.query(e.server.patiently + text)}
}

func (a mariaDBAsk) needed() []*query { return []*query{a.atOnce} }

func (a mariaDBAsk) ask(ctx context.Context, on session, c *backend.Claim, how mysqlWay) (sight, error) {
	q := a.atOnce
	if how.patient {
		q = a.patiently
	}
	rows, err := on.query(ctx, q, a.e.claimArgs(c)...)
	return a.e.read(rows, err, c)
}

// claimArgs are the parameters of mysqlClaim.
func (e *mysqlEngine) claimArgs(c *backend.Claim) []any {
	guard, user, key := e.store.records.names(c)
	lease := milliseconds(c.Lease)
	return []any{
		c.ID[:], c.Token[:], c.Fingerprint[:], number(c.Hold), lease,
		number(c.Hold), lease + milliseconds(c.Retention), guard, user, key,
	}
}
