package itest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/bounds"
)

// lease is how long a claim outlives its process in these tests. Guards do not take one so short but from tests.
const lease = 300 * time.Millisecond

func init() { bounds.MinLease = lease }

// grace is what an answer may come later than the lease of an attempt that was killed: the promise is a second.
const grace = lease + time.Second

// payment is the request of every call, and answer names the run of fn that gave it, so that nobody's answer can be taken
// for another's.
type (
	payment struct{ Cents int64 }
	answer  struct{ Run string }
	payFunc func(context.Context, effects) (answer, error)
)

const owner idem.User = "user-1"

// worker makes calls on a site: in a child, which may die of it, or in the test itself.
type worker struct {
	site   *site
	guards map[idem.Guarantee]*idem.Guard
	closed func() error
}

// newWorker works on store, which is the site's or stands around it.
func newWorker(s *site, store backend.Store, lease time.Duration, opts ...idem.GuardOption) (*worker, error) {
	w := &worker{site: s, guards: map[idem.Guarantee]*idem.Guard{}, closed: sync.OnceValue(s.close)}
	for _, gt := range []idem.Guarantee{idem.Rerun, idem.Hold, idem.Tx} {
		if gt == idem.Tx && s.doTx == nil {
			continue
		}
		g, err := idem.New("itest", store, append([]idem.GuardOption{gt, idem.Lease(lease)}, opts...)...)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		w.guards[gt] = g
	}
	return w, nil
}

// close ends the worker's access to its storage. It may be called again.
func (w *worker) close() error { return w.closed() }

// call is one call of idem.Do, or of idem.DoTx where the guarantee is Tx.
type call struct {
	guarantee idem.Guarantee
	key       idem.Key
	cents     int64
	wait      time.Duration
	obedient  bool             // fn leaves when its context ends; otherwise it goes on whatever happens
	began     func(run string) // nil, or told of every run of fn
}

func (w *worker) do(ctx context.Context, c call) (idem.Result[answer], error) {
	g, req, opts := w.guards[c.guarantee], payment{Cents: c.cents}, []idem.CallOption{idem.Wait(c.wait)}
	if c.guarantee == idem.Tx {
		return w.site.doTx(ctx, g, c.key, req, c.pay, opts...)
	}
	return idem.DoResult(ctx, g, c.key, owner, req, func(ctx context.Context, _ payment) (answer, error) {
		return c.pay(ctx, w.site.effects)
	}, opts...)
}

// pay is fn: it has one effect.
func (c call) pay(ctx context.Context, on effects) (answer, error) {
	run := rand.Text()
	if c.began != nil {
		c.began(run)
	}
	reach(ctx, beforeEffect)
	if c.obedient && ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	if err := on.add(context.WithoutCancel(ctx), string(c.key), run); err != nil {
		return answer{}, err
	}
	reach(ctx, afterEffect)
	if c.obedient && ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	return answer{Run: run}, nil
}

var errLate = errors.New("the call came to its end later than a lease and a second")

// finish is what a client does who heard nothing: it sends the same again until it is told an answer, or that the outcome
// is unknown. It returns another error at once, and errLate if the end comes later than promised: the first attempt was
// lost at the given time.
func (w *worker) finish(ctx context.Context, c call, lost time.Time) (idem.Result[answer], error) {
	return w.finishIn(ctx, c, lost, grace)
}

// finishIn is finish where the end must come in so long a time.
func (w *worker) finishIn(ctx context.Context, c call, lost time.Time, grace time.Duration) (idem.Result[answer], error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		res, err := w.do(ctx, c)
		if late := time.Since(lost) - stalls.since(lost) - grace; late > 0 {
			return res, fmt.Errorf("%w, by %v; the last answer was: %v; the record: %s", errLate, late, err, w.record(c))
		}
		switch idem.CodeOf(err) {
		case idem.CodeInFlight, idem.CodeUnavailable, idem.CodeLeaseLost, idem.CodeCommitUnknown:
		default:
			return res, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return res, context.Cause(ctx)
		}
	}
}

// end is what finish returns.
type end struct {
	res idem.Result[answer]
	err error
}

// finishAll is finish for calls that were all lost by then. Their clients come side by side.
func (w *worker) finishAll(ctx context.Context, calls []call, lost time.Time) []end {
	ends := make([]end, len(calls))
	var clients sync.WaitGroup
	for i, c := range calls {
		clients.Go(func() { ends[i].res, ends[i].err = w.finish(ctx, c, lost) })
	}
	clients.Wait()
	return ends
}

// record describes the record of a call, for whoever has to find out what went wrong.
func (w *worker) record(c call) string {
	rec, err := w.guards[c.guarantee].Lookup(context.Background(), c.key, owner)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v, attempt %d, since %v, lease left %v", rec.State, rec.Attempt, rec.Age, rec.LeaseLeft)
}
