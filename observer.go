package idem

import (
	"context"
	"time"
)

// Observer is told what happens to records, for metrics, traces and alarms. Observe is called on the caller's
// goroutine, by renewals on the timer's; it must be safe for concurrent use and must not block. A panic in it is its own.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(context.Context, Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }

// Event is one thing that happened. It never holds a key, a user, a request, an answer or a token.
type Event struct {
	Kind    EventKind
	Guard   string
	Record  string        // the first 8 hexadecimal digits of the record's id; empty where the event is about no record
	Attempt int           // the attempt's number, where one was claimed
	Elapsed time.Duration // since the call, or the operation on the store, began; on this process's clock
	Code    Code          // of the error that the caller gets, where he gets one
	Err     error         // the store's error, where one is the reason; never fn's
	Cached  bool          // the answer came from the guard's cache: see CacheAnswers
	Pruned  PruneStats    // what a round of pruning did
}

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	EventClaimed      EventKind = iota + 1 // fn is about to run for the first time
	EventTakenOver                         // fn is about to run again: an earlier attempt was abandoned
	EventReplayed                          // a stored answer was returned
	EventRefused                           // the call was refused: see Code
	EventCompleted                         // fn's answer was stored
	EventTombstoned                        // it was stored that fn is done, but not its answer
	EventReleased                          // the record was freed after an error
	EventHeld                              // the record was given up: its outcome is unknown
	EventLost                              // the claim was lost to another attempt
	EventRenewFailed                       // a renewal failed; it is tried again until the lease is over
	EventRetried                           // an operation on the store failed and is tried again
	EventNotStored                         // fn ran and its outcome could not be stored
	EventRestarted                         // a transaction was rolled back by the database and runs again
	EventNotEncodable                      // an answer does not survive its codec, so a tombstone is stored
	EventPruned                            // a round of pruning ended
	EventPruneFailed                       // a round of pruning failed; the next one goes on
)

var eventNames = [...]string{
	"none", "claimed", "taken_over", "replayed", "refused", "completed", "tombstoned", "released", "held", "lost",
	"renew_failed", "retried", "not_stored", "restarted", "not_encodable", "pruned", "prune_failed",
}

// String returns a stable name for the kind, fit for a metric's label.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "invalid"
}

// WithObserver makes a guard report to o.
func WithObserver(o Observer) GuardOption {
	return guardOption(func(g *Guard) error {
		if o == nil {
			return optionError("WithObserver", "the observer is nil")
		}
		g.observer = o
		return nil
	})
}

func (g *Guard) observe(ctx context.Context, e Event) {
	if g.observer != nil {
		e.Guard = g.name
		g.observer.Observe(ctx, e)
	}
}
