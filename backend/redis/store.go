package redisbackend

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

// Store keeps records in Redis. Make one with New; the zero value is not usable. All methods may be called concurrently,
// also from any number of processes on one server. A Store runs nothing in the background but, while somebody watches a
// record and for some seconds after that, one subscription, which Close ends at once, and with Pipelining what sends for
// several calls, while they wait.
//
// A call waits for the server as long as its context's deadline and the client's timeouts allow. A context that is
// cancelled earlier ends a wait for a connection and the pause before the client tries again, but not the wait for an
// answer on its way. With Pipelining, what calls send in the same
// moment shares a pipeline.
type Store struct {
	client   redis.UniversalClient
	config   config
	scripts  *scripts
	limits   limits
	pipeline pipeline
	watches  listener
	prune    pruner
}

var (
	_ backend.Store     = (*Store)(nil)
	_ backend.Pruner    = (*Store)(nil)
	_ backend.Inspector = (*Store)(nil)
	_ backend.Notifier  = (*Store)(nil)
	_ backend.Checker   = (*Store)(nil)
)

// New returns the store of the server or the Cluster behind client: a *redis.Client, also one that Sentinel or a unix
// socket is behind, or a *redis.ClusterClient. It asks every master and fails where records would not be safe: where a
// client reads from replicas or spreads keys by itself (*redis.Ring: the keys of a shard that is down go to another one,
// and the record is gone), where the server is a replica, and where it evicts keys when its memory is full, which
// AcceptEviction permits. The client must obey the deadlines of contexts (ContextTimeoutEnabled).
//
// The client stays the caller's, to be closed after Close of the store.
func New(ctx context.Context, client redis.UniversalClient, opts ...Option) (*Store, error) {
	c := config{prefix: defaultPrefix, readable: true}
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("redisbackend: option %d of New is nil", i+1)
		}
		if err := o.configure(&c); err != nil {
			return nil, err
		}
	}
	if err := usable(client, c); err != nil {
		return nil, err
	}
	s := &Store{client: client, config: c, prune: newPruner()}
	s.pipeline.open(client, c.pipelined(client))
	s.watches.store = s
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the subscription behind Watch, if there is one, and waits for its end. What watches there are are not woken
// any more. It does not close the client. It may be called more than once; a later Watch begins a new subscription.
func (s *Store) Close() error {
	s.watches.close()
	return nil
}

// Begin claims a record as backend.Store says.
func (s *Store) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	r := s.claimed(c)
	if r.size() > longestText {
		return s.result(ctx, "begin", backend.Grant{}, errors.New("the names of the record are too long"))
	}
	args := append(blank(3), r.appendTo(make([]byte, 0, r.size())), expiry(r.lease+r.retention), s.marks(r.waited))
	g, err := begun(s.replicated(ctx, s.scripts.begin, c.ID, args))
	if errors.Is(err, errNotReplicated) {
		s.withdraw(ctx, c)
	}
	return s.result(ctx, "begin", g, err)
}

// claimed is the record of a new claim.
func (s *Store) claimed(c backend.Claim) record {
	r := record{
		state: pending, token: c.Token, fingerprint: c.Fingerprint, hold: c.Hold, waited: s.watches.has(c.ID), attempt: 1,
		lease: milliseconds(c.Lease), retention: milliseconds(c.Retention),
	}
	if s.config.readable {
		r.guard, r.user, r.key = c.Guard, c.User, c.Key
	}
	return r
}

// expiry is what Redis takes as one: it refuses what is over already.
func expiry(ms int64) int64 { return max(1, ms) }

// marks tells Begin and Complete what else to do.
func (s *Store) marks(watched bool) string {
	marks := ""
	if watched {
		marks += "w"
	}
	if s.config.replicas.n > 0 {
		marks += "a"
	}
	return marks
}

// Renew extends a claim's lease as backend.Store says.
func (s *Store) Renew(ctx context.Context, id backend.ID, token backend.Token, n backend.Renewal) (backend.Grant, error) {
	lease := max(0, milliseconds(n.Lease))
	args := append(blank(4), claimOf(pending, token), lease, expiry(lease+milliseconds(n.Retention)), n.Note)
	g, err := ended(s.run(ctx, s.scripts.renew, id, args))
	return s.result(ctx, "renew", g, err)
}

// Complete stores an answer as backend.Store says. Where the server's memory is full, an answer of more than 8 KiB is
// refused with backend.ErrTooLarge; a smaller one, which a tombstone is, is stored all the same.
func (s *Store) Complete(ctx context.Context, id backend.ID, token backend.Token, c backend.Completion) (backend.Grant, error) {
	if err := s.limits.fits(c.Answer); err != nil {
		return s.result(ctx, "complete", backend.Grant{}, err)
	}
	fingerprint := text.EncodeToString(c.Fingerprint[:])
	args := append(blank(5), claimOf(pending, token), fingerprint, expiry(milliseconds(c.Retention)), c.Answer, s.marks(false))
	g, err := ended(s.replicated(ctx, s.scripts.complete.storing(c.Answer), id, args))
	return s.result(ctx, "complete", g, refusedAnswer(c.Answer, err))
}

// Release frees a record as backend.Store says.
func (s *Store) Release(ctx context.Context, id backend.ID, token backend.Token) (backend.Grant, error) {
	g, err := ended(s.run(ctx, s.scripts.remove, id, append(blank(1), claimOf(pending, token))))
	return s.result(ctx, "release", g, err)
}

// Hold gives a record up without an answer as backend.Store says. An empty note keeps the one that a renewal left.
func (s *Store) Hold(ctx context.Context, id backend.ID, token backend.Token, note string) (backend.Grant, error) {
	g, err := ended(s.run(ctx, s.scripts.hold, id, append(blank(2), claimOf(pending, token), note)))
	return s.result(ctx, "hold", g, err)
}

func (s *Store) result(ctx context.Context, op string, g backend.Grant, err error) (backend.Grant, error) {
	if err != nil {
		return backend.Grant{}, failure(ctx, op, err)
	}
	return g, nil
}

// key is the key of a record: nothing in it comes from a client.
func (s *Store) key(id backend.ID) string { return s.config.key(id) }
