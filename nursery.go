package idem

import (
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
)

// nurseries hold the leases of calls that have only begun. Most calls are over before anything is due for their lease, and
// need no timer of their own: what lives on gets one at the next look but one. A look is a timer too; it is armed when a
// lease comes, and not again once there is none. A guard has several, so that calls seldom meet at a lock.
//
// The timers of a testing/synctest bubble are its own: leases in there do not come here. See lease.start.
type nurseries [8]nursery

func (ns *nurseries) of(id backend.ID) *nursery { return &ns[id[0]%byte(len(ns))] }

type nursery struct {
	mu     sync.Mutex
	leases [2][]*lease // by when they came: after the last look, or before it; which is which changes at each look
	recent int         // those that came after it
	looks  *time.Timer // nil until the first lease comes
	armed  bool
	_      [48]byte // a cache line is one nursery's
}

// lookEvery is the time between two looks. A lease waits for its timer for less than two of them, and comes here only if
// nothing is due for it within three.
const lookEvery = 100 * time.Millisecond

// place says where in a nursery a lease is. Only the nursery's lock guards it.
type place struct {
	in    int8 // the list, from 1; 0 is none
	index int32
}

// add takes a lease in.
func (n *nursery) add(l *lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := &n.leases[n.recent]
	l.place = place{in: int8(n.recent + 1), index: int32(len(*list))}
	*list = append(*list, l)
	if n.armed {
		return
	}
	n.armed = true
	if n.looks == nil {
		n.looks = time.AfterFunc(lookEvery, n.look)
	} else {
		n.looks.Reset(lookEvery)
	}
}

// remove takes a lease out, if it is still there.
func (n *nursery) remove(l *lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.place.in == 0 {
		return
	}
	list := &n.leases[l.place.in-1]
	last := len(*list) - 1
	moved := (*list)[last]
	(*list)[l.place.index], moved.place.index = moved, l.place.index
	(*list)[last], *list = nil, (*list)[:last]
	l.place = place{}
}

// look gives a timer to each lease that came before the last look.
func (n *nursery) look() {
	n.mu.Lock()
	defer n.mu.Unlock()
	older := 1 - n.recent
	for _, l := range n.leases[older] {
		l.place = place{}
		l.arm()
	}
	clear(n.leases[older])
	n.leases[older] = n.leases[older][:0]
	n.recent = older
	if n.armed = len(n.leases[1-older]) > 0; n.armed {
		n.looks.Reset(lookEvery)
	}
}

// monotonic reports whether a time that was read just now has a reading of the monotonic clock. In a testing/synctest
// bubble it has none.
func monotonic(now time.Time) bool { return now != now.Round(0) }
