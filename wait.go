package idem

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem/backend"
)

// rooms are where calls of one guard wait for a record in flight. Those who wait for the same request on the same
// record share one room: one of them at a time asks the store, on its own goroutine, and whoever leaves hands that over.
// No goroutine is started, and nothing remains when the last one has left.
type rooms struct {
	waiting atomic.Int64 // members of all rooms
	mu      sync.Mutex
	open    map[roomID]*room
}

type roomID struct {
	record  backend.ID
	request Fingerprint
}

type room struct {
	members int
	turn    chan struct{} // holds one token: who takes it asks the store
	poked   chan struct{} // the owner, in this process, is done
	shared  chan struct{} // closed once grant is an answer for everybody
	grant   backend.Grant
}

func (rs *rooms) enter(id roomID) *room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm := rs.open[id]
	if rm == nil {
		rm = &room{turn: make(chan struct{}, 1), poked: make(chan struct{}, 1), shared: make(chan struct{})}
		rm.turn <- struct{}{}
		if rs.open == nil {
			rs.open = map[roomID]*room{}
		}
		rs.open[id] = rm
	}
	rm.members++
	rs.waiting.Add(1)
	return rm
}

// leave ends a membership; who leads hands the turn over.
func (rs *rooms) leave(id roomID, rm *room, leading bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm.members--
	rs.waiting.Add(-1)
	if rm.members == 0 && rs.open[id] == rm {
		delete(rs.open, id)
	}
	if leading {
		rm.turn <- struct{}{}
	}
}

// hasShared reports whether the room has an answer for everybody. Once it has, whoever gets the turn has nothing to ask.
func (rm *room) hasShared() bool {
	select {
	case <-rm.shared:
		return true
	default:
		return false
	}
}

// share gives everybody in the room the same grant. Who comes later gets a new room. Only who leads may share, and only he
// who found nothing shared when he began to lead.
func (rs *rooms) share(id roomID, rm *room, grant backend.Grant) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm.grant = grant
	close(rm.shared)
	if rs.open[id] == rm {
		delete(rs.open, id)
	}
}

// poke tells who waits for the record that this process is done with it.
func (r *run) poke() {
	rs := &r.g.rooms
	if rs.waiting.Load() == 0 {
		return // who enters later asks the store himself
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rm := rs.open[r.room()]; rm != nil {
		select {
		case rm.poked <- struct{}{}:
		default:
		}
	}
}

func (r *asking) room() roomID { return roomID{r.claim.ID, r.claim.Fingerprint} }

// ask claims by way of try. Where another attempt is in flight and the call may wait, it asks again until there is an
// answer, the time is over or ctx ends. A waiter never touches the owner's record: asking is all that it does.
func (r *asking) ask(ctx context.Context, try func(context.Context) (backend.Grant, error)) (backend.Grant, error) {
	grant, err := try(ctx)
	if err != nil || grant.Verdict != backend.InFlight || r.s.wait == 0 {
		return grant, err
	}
	w := newWaiter(r)
	defer w.leave()
	for err == nil && grant.Verdict == backend.InFlight {
		asked := time.Now()
		if shared, done := w.turn(ctx, &grant); done {
			if shared.Verdict == backend.InFlight {
				shared.Age += time.Since(asked) // for a truthful Retry-After
			}
			return shared, r.leftEarly(ctx)
		}
		grant, err = try(ctx)
	}
	if err == nil && grant.Verdict != backend.Claimed {
		w.g.rooms.share(w.id, w.room, grant)
	}
	return grant, err
}

// leftEarly is the error of a call whose caller left while it waited.
func (r *asking) leftEarly(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// waiter is one call's place in a room.
type waiter struct {
	g       *Guard
	id      roomID
	room    *room
	over    *time.Timer // Wait is over
	leading bool
	polls   int
	changed <-chan struct{} // nil where the store tells nothing
	unwatch func()
	unheard bool // the store will not tell of this record
}

func newWaiter(r *asking) *waiter {
	return &waiter{g: r.g, id: r.room(), room: r.g.rooms.enter(r.room()), over: time.NewTimer(r.s.wait)}
}

// turn returns when it is this call's turn to ask the store. done says that there is nothing to ask any more: the grant
// is then what everybody was given, or the last one if the time is over or ctx ended.
func (w *waiter) turn(ctx context.Context, last *backend.Grant) (grant backend.Grant, done bool) {
	if !w.leading {
		select {
		case <-w.room.shared:
			return w.room.grant, true
		case <-w.over.C:
			return *last, true
		case <-ctx.Done():
			return *last, true
		case <-w.room.turn:
			w.leading = true
		}
		if w.room.hasShared() { // who led has shared the answer and handed the turn over
			return w.room.grant, true
		}
		w.watch(ctx)
		return backend.Grant{}, false
	}
	poll := time.NewTimer(w.delay(last.LeaseLeft))
	defer poll.Stop()
	select {
	case <-poll.C:
	case <-w.changed:
	case <-w.room.poked:
	case <-w.over.C:
		return *last, true
	case <-ctx.Done():
		return *last, true
	}
	w.watch(ctx)
	return backend.Grant{}, false
}

// watch has the store tell of changes, if it can, to the call that asks. It is called before each time that the call
// asks, not once: what happened before the watch began must be seen, and by now the record may be another one under the
// same id, or the store may be able to tell again.
func (w *waiter) watch(ctx context.Context) {
	n, ok := w.g.store.(backend.Notifier)
	if !ok || w.unheard {
		return
	}
	w.endWatch()
	changed, unwatch, err := n.Watch(ctx, w.id.record)
	if err != nil {
		// What a transaction has claimed is not seen before it ends, at whatever time it is tried again.
		w.unheard = errors.Is(err, backend.ErrUnsupported) || w.g.Guarantee() == Tx
		return // polling is enough
	}
	w.changed, w.unwatch = changed, unwatch
}

func (w *waiter) endWatch() {
	if w.unwatch != nil {
		w.unwatch()
	}
	w.changed, w.unwatch = nil, nil
}

// delay is how long the next poll waits: longer each time, and a little longer than the lease at most, since a lease
// that ran out is there to be taken. Where the store tells of changes, polls are rare.
func (w *waiter) delay(leaseLeft time.Duration) time.Duration {
	longest, shift := 250*time.Millisecond, min(w.polls, 5)
	if w.changed != nil {
		longest = 2 * time.Second
		shift = 8
	}
	w.polls++
	d := min(10*time.Millisecond<<shift, longest)
	if leaseLeft > 0 {
		d = min(d, leaseLeft+5*time.Millisecond)
	}
	return jitter(d)
}

// leave gives up the place.
func (w *waiter) leave() {
	w.over.Stop()
	w.endWatch()
	w.g.rooms.leave(w.id, w.room, w.leading)
}
