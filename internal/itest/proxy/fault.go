package proxy

import "slices"

// Fault is one fault. The zero value of each field is its default.
type Fault struct {
	On    func(Request) bool // which requests: by default every Statement
	Skip  int                // so many of them pass first
	Count int                // then it happens so often: 0 is once, but always for Watch
	At    Stage
	Do    Action

	// Bytes of the message still pass: of the request at Asking, of the answer at Answered.
	Bytes int
}

// Always has a fault happen at every request that it matches.
const Always = -1

// Stage is how far a request comes.
type Stage int

// The stages.
const (
	Asking   Stage = iota // the server does not get the request
	Asked                 // the server gets all of it, and nobody waits for its answer
	Answered              // the server has carried it out: its answer is here in full, and is not passed on
)

// String names the stage.
func (s Stage) String() string {
	return [...]string{"before the request", "after the request", "before the reply"}[s]
}

// Action is what happens then.
type Action int

// The actions.
const (
	// Watch does nothing but count: the request and the answer pass.
	Watch Action = iota
	// Cut closes both connections in order: each end reads what was passed on, and then its end.
	Cut
	// Reset breaks both connections off.
	Reset
	// HalfClose closes the direction to the client alone. The server is not told before the client closes his.
	HalfClose
	// BlackHole passes nothing any more and tells nobody, not even when one of them closes. Release ends it: both
	// connections are cut.
	BlackHole
	// Stall holds the message until Release, and then passes it on, even if the client has left.
	Stall
)

// String names the action.
func (a Action) String() string {
	return [...]string{"watch", "cut", "reset", "half-close", "black hole", "stall"}[a]
}

// Injection is a fault that was planned. Its methods may be called concurrently.
type Injection struct {
	proxy    *Proxy
	fault    Fault
	hit      chan struct{}
	released chan struct{}
	over     chan struct{}

	// The proxy's lock guards these.
	skipped, taken int
	removed        bool
	freed          bool
	told           bool
	done           bool
	seen           []Request
}

// spent reports whether the fault has happened as often as it was to.
func (i *Injection) spent() bool {
	count := i.fault.Count
	if count == 0 {
		if i.fault.Do == Watch {
			return false
		}
		count = 1
	}
	return count != Always && i.taken >= count
}

// takes reports whether the fault happens to r, and counts. The proxy is locked.
func (i *Injection) takes(r Request) bool {
	f := &i.fault
	on := f.On
	if on == nil {
		on = func(r Request) bool { return r.Kind == Statement }
	}
	if i.removed || i.spent() || !on(r) {
		return false
	}
	if i.skipped < f.Skip {
		i.skipped++
		return false
	}
	i.taken++
	i.seen = append(i.seen, r)
	return true
}

// happened says that the fault has happened for the first time.
func (i *Injection) happened() {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	if !i.told {
		i.told = true
		close(i.hit)
	}
}

// Hit is closed when the fault happens, before the client can know of it; with Stall, when the message is held.
func (i *Injection) Hit() <-chan struct{} { return i.hit }

// ended says that a request which the fault has happened to is over.
func (i *Injection) ended() {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	if !i.done {
		i.done = true
		close(i.over)
	}
}

// Over is closed when the first request that the fault has happened to is answered after all, or both its connections
// are closed.
func (i *Injection) Over() <-chan struct{} { return i.over }

// Requests are those that the fault has happened to, or is about to.
func (i *Injection) Requests() []Request {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	return append([]Request(nil), i.seen...)
}

// Remove has the fault happen no more. What it holds stays held.
func (i *Injection) Remove() {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	i.removed = true
	i.proxy.injections = slices.DeleteFunc(i.proxy.injections, func(other *Injection) bool { return other == i })
}

// Release lets go what Stall holds and cuts what BlackHole has swallowed, and the fault happens no more.
func (i *Injection) Release() {
	i.Remove()
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	if !i.freed {
		i.freed = true
		close(i.released)
	}
}
