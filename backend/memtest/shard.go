package memtest

import (
	"sync"

	"github.com/idem-go/idem/backend"
)

// shardCount is at most 64, so that a transaction can name its shards in one word.
const shardCount = 64

// shard is a slice of the identities under one lock. It fills a cache line of its own.
type shard struct {
	mu      sync.Mutex
	records map[backend.ID]*record
	rows    map[backend.ID]rowLock
	watches map[backend.ID][]chan struct{}
	_       [32]byte
}

// rowLock says that an open transaction wrote to a record.
type rowLock struct {
	tx       *Tx
	token    backend.Token
	since    instant
	leaseEnd instant
}

// shardOf takes the highest bits, so that the shards in order hold the ids in order.
func shardOf(id backend.ID) int { return int(id[0]) * shardCount / 256 }

// write does the step under the lock. A channel in return says that nothing happened and when to try again.
func (sh *shard) write(clock func() instant, st step) (backend.Grant, <-chan struct{}) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := clock()
	r := sh.records[st.id].live(now)
	if row, locked := sh.rows[st.id]; locked {
		return row.behind(r, st, now)
	}
	next, g := st.do(r, now)
	if next != nil {
		sh.put(st.id, r, next)
	}
	return g, nil
}

// behind answers a call that meets another's open transaction: with what is committed if that needs no write.
func (l rowLock) behind(r *record, st step, now instant) (backend.Grant, <-chan struct{}) {
	next, g := st.do(r.clone(), now)
	switch {
	case next == nil:
		return g, nil
	case st.op == OpBegin:
		left := max(0, l.leaseEnd.since(now))
		return backend.Grant{Verdict: backend.InFlight, Age: now.since(l.since), LeaseLeft: left}, nil
	default:
		return backend.Grant{}, l.tx.done
	}
}

// put keeps what a rule made of r, which may be r itself, and wakes those who wait for the record. The caller holds the
// lock.
func (sh *shard) put(id backend.ID, r, next *record) {
	switch next {
	case gone:
		delete(sh.records, id)
	case r: // changed in place
	default:
		if sh.records == nil {
			sh.records = make(map[backend.ID]*record)
		}
		sh.records[id] = next
	}
	if next.state != backend.Pending {
		sh.wake(id)
	}
}

func (sh *shard) wake(id backend.ID) {
	for _, changed := range sh.watches[id] {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

func (sh *shard) lockRow(id backend.ID, tx *Tx, r *record) {
	if sh.rows == nil {
		sh.rows = make(map[backend.ID]rowLock)
	}
	sh.rows[id] = rowLock{tx: tx, token: r.token, since: r.since, leaseEnd: r.leaseEnd}
}
