package idem

import (
	"bytes"
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
)

// CacheAnswers keeps stored answers in this process for a short time after it was told of them, so that a client who
// repeats himself at once gets his answer without a round trip. An answer is kept for at most keep, 1 ms to 1 minute (5 s
// is a good value), and never for longer than its record has left; all of them together take at most so many bytes, at least 64 KiB,
// of which the oldest make room for new ones. Without this option nothing is kept.
//
// Only answers that are stored are kept: who is first, whether a request is the same, and whether a claim may be taken
// over is always asked of the store. What changes is this alone: after Forget, ForgetUser or the deletion of a user, other
// processes, and calls that were on their way in this one, may replay the answer for up to keep. JoinTx does not look here, since
// its answers belong to the caller's transaction.
func CacheAnswers(keep time.Duration, bytes int) GuardOption {
	return guardOption(func(g *Guard) error {
		if keep < time.Millisecond || keep > time.Minute {
			return optionError("CacheAnswers", "%v is not between %v and %v", keep, time.Millisecond, time.Minute)
		}
		if bytes < leastCache {
			return optionError("CacheAnswers", "%d bytes are too few, the least is %d", bytes, leastCache)
		}
		g.cache = newAnswerCache(keep, bytes)
		return nil
	})
}

const (
	cacheShards = 16
	leastCache  = 64 << 10

	// cachedOverhead is about what an answer takes beside its bytes: the cachedAnswer and its place in the map.
	cachedOverhead = 256
)

// answerCache is where answers of one guard are kept. Its methods may be called concurrently; a nil one keeps nothing.
//
// It is made of the standard library, as everything in this package: all answers are kept for about the same time, so the
// oldest is the next to expire, and a queue beside a map is all that a bounded cache needs.
type answerCache struct {
	keep   time.Duration
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu      sync.Mutex
	room    int // bytes
	used    int
	answers map[backend.ID]*cachedAnswer

	// The queue, oldest first. One that was dropped stays until its turn comes, without its bytes.
	first, last *cachedAnswer
}

// cachedAnswer is a Replay as the store told it.
type cachedAnswer struct {
	id          backend.ID
	fingerprint Fingerprint
	grant       backend.Grant // its age is that of the time when the store was asked
	asked       time.Time     // before the question was sent, so that nothing is kept longer than the store said
	keep        time.Duration
	next        *cachedAnswer
}

func newAnswerCache(keep time.Duration, bytes int) *answerCache {
	c := &answerCache{keep: keep}
	for i := range c.shards {
		c.shards[i].room = bytes / cacheShards
	}
	return c
}

func (c *answerCache) shard(id backend.ID) *cacheShard { return &c.shards[id[0]%cacheShards] }

// get returns the Replay of a record that holds an answer to the same request.
func (c *answerCache) get(id backend.ID, request Fingerprint) (backend.Grant, bool) {
	if c == nil {
		return backend.Grant{}, false
	}
	sh := c.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.answers[id]
	if a == nil || a.fingerprint != request { // another request is for the store to refuse
		return backend.Grant{}, false
	}
	now := time.Now()
	if a.over(now) {
		sh.drop(id)
		return backend.Grant{}, false
	}
	grant := a.grant
	grant.Age += a.held(now)
	return grant, true
}

// held is how long the answer has been here: by the clock that stands still while the machine sleeps, or by the one that
// people set, whichever says more.
func (a *cachedAnswer) held(now time.Time) time.Duration {
	return max(0, now.Sub(a.asked), now.Round(0).Sub(a.asked.Round(0)))
}

// put keeps a Replay that the store was asked for at the given time. left is what its record had left then.
func (c *answerCache) put(id backend.ID, request Fingerprint, grant backend.Grant, asked time.Time, left time.Duration) {
	if c == nil || left <= 0 {
		return
	}
	sh := c.shard(id)
	if len(grant.Answer)+cachedOverhead > sh.room {
		return
	}
	grant.Answer = bytes.Clone(grant.Answer) // it may be a part of something larger
	a := &cachedAnswer{id: id, fingerprint: request, grant: grant, asked: asked, keep: min(c.keep, left)}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.drop(id)
	sh.add(a)
}

// drop forgets the answer of a record.
func (c *answerCache) drop(id backend.ID) {
	if c == nil {
		return
	}
	sh := c.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.drop(id)
}

// clear forgets all.
func (c *answerCache) clear() {
	if c == nil {
		return
	}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		sh.answers, sh.first, sh.last, sh.used = nil, nil, nil, 0
		sh.mu.Unlock()
	}
}

// add keeps a, and lets go of the oldest until there is room. The caller holds the lock, as for what follows.
func (sh *cacheShard) add(a *cachedAnswer) {
	if sh.answers == nil {
		sh.answers = map[backend.ID]*cachedAnswer{}
	}
	sh.answers[a.id] = a
	if sh.last == nil {
		sh.first = a
	} else {
		sh.last.next = a
	}
	sh.last = a
	sh.used += a.size()
	for now := time.Now(); sh.first != a && (sh.used > sh.room || sh.first.over(now)); {
		sh.shift()
	}
}

// shift takes the oldest out of the queue.
func (sh *cacheShard) shift() {
	a := sh.first
	if sh.answers[a.id] == a {
		sh.drop(a.id)
	}
	sh.first = a.next
	sh.used -= a.size()
}

// drop forgets the answer of a record, but for its place in the queue.
func (sh *cacheShard) drop(id backend.ID) {
	if a := sh.answers[id]; a != nil {
		delete(sh.answers, id)
		sh.used -= len(a.grant.Answer)
		a.grant.Answer, a.keep = nil, 0
	}
}

func (a *cachedAnswer) size() int { return cachedOverhead + len(a.grant.Answer) }

func (a *cachedAnswer) over(now time.Time) bool { return a.held(now) >= a.keep }

// now is the time, where there is a cache to know it.
func (c *answerCache) now() (now time.Time) {
	if c != nil {
		now = time.Now()
	}
	return now
}

// recall returns the Replay of the call's record, if the guard keeps it.
func (r *asking) recall() (grant backend.Grant, ok bool) {
	grant, r.cached = r.g.cache.get(r.claim.ID, r.claim.Fingerprint)
	return grant, r.cached
}

// remember keeps a Replay that the claim sent at r.sent was answered with.
func (r *asking) remember(grant backend.Grant) {
	if grant.Verdict == backend.Replay {
		r.g.cache.put(r.claim.ID, r.claim.Fingerprint, grant, r.sent, grant.RetentionLeft)
	}
}

// rememberOwn keeps the answer that this call has stored, or had stored when it was asked again.
func (r *run) rememberOwn(c backend.Completion, kept backend.Grant, sent time.Time) {
	stored := backend.Grant{Verdict: backend.Replay, Answer: c.Answer, Attempt: r.attempt}
	if kept.Answer != nil {
		stored.Answer = kept.Answer
	}
	r.g.cache.put(r.claim.ID, r.claim.Fingerprint, stored, sent, c.Retention)
}
