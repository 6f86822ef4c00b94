package failover

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	insecure "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/backend/redis"
)

// order is what a caller is to do: it reads one.
type order struct {
	URL     string
	Calls   int
	Keys    int
	Callers int // at once
}

// report is what a caller writes: how far it is, now and then, and in the end what it was told.
type report struct {
	Ended int // calls so far

	Told  map[int][]telling `json:",omitempty"` // by key: every answer, in the order in which they were first told
	Codes map[idem.Code]int `json:",omitempty"` // of all tries
	Runs  int
}

// telling is an answer that was told.
type telling struct {
	Answer string
	Own    bool // to the call that ran for it
}

const owner idem.User = "user-1"

// lease is that of the callers' claims. Nothing but a lost record makes a call run again within it.
const lease = time.Minute

// patience is how long a caller sends one call again before it gives up: where a failover takes longer than a call tries to
// store its answer, the key is free when the lease is over.
const patience = lease + 30*time.Second

func keyOf(key int) idem.Key { return idem.Key(fmt.Sprint("key-", key)) }

type caller struct {
	order order
	guard *idem.Guard
	out   *json.Encoder
	done  atomic.Int64
	runs  atomic.Int64

	mu    sync.Mutex
	told  map[int][]telling
	codes map[idem.Code]int
}

func runCaller(in io.Reader, out io.Writer) error {
	c := &caller{out: json.NewEncoder(out), told: map[int][]telling{}, codes: map[idem.Code]int{}}
	if err := json.NewDecoder(in).Decode(&c.order); err != nil {
		return err
	}
	ctx := context.Background()
	h, err := backend.Open(ctx, c.order.URL)
	if err != nil {
		return err
	}
	if c.guard, err = idem.New("failover", h.Store, idem.Lease(lease)); err != nil {
		return err
	}
	var calls sync.WaitGroup
	errs := make([]error, c.order.Callers)
	for i := range errs {
		calls.Go(func() { errs[i] = c.call(ctx, c.order.Calls/c.order.Callers) })
	}
	calls.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if err := c.out.Encode(report{Ended: int(c.done.Load()), Told: c.told, Codes: c.codes, Runs: int(c.runs.Load())}); err != nil {
		return err
	}
	return h.Close()
}

// call makes n calls, one after the other. Half of them ask for one of the newest keys, of which there are more and
// more, so that there are first runs at any time.
func (c *caller) call(ctx context.Context, n int) error {
	for i := range n {
		born := 1 + i*(c.order.Keys-1)/max(1, n-1)
		key := insecure.N(born)
		if i%2 == 0 {
			key = born - 1 - insecure.N(min(born, 10))
		}
		if err := c.one(ctx, key); err != nil {
			return err
		}
		if ended := c.done.Add(1); ended%200 == 0 {
			c.mu.Lock()
			err := c.out.Encode(report{Ended: int(ended)})
			c.mu.Unlock()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// one makes one call, and sends it again until it is told an answer.
func (c *caller) one(ctx context.Context, key int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		res, err := idem.DoResult(ctx, c.guard, keyOf(key), owner, key, func(context.Context, int) (string, error) {
			c.runs.Add(1)
			return rand.Text(), nil
		})
		c.heard(key, res, err)
		switch idem.CodeOf(err) {
		case idem.CodeNone:
			return nil
		case idem.CodeInFlight, idem.CodeUnavailable, idem.CodeLeaseLost, idem.CodeNotStored:
		default:
			return fmt.Errorf("key %d: %w", key, err)
		}
		again := time.NewTimer(5 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("key %d: no answer for %v: %w", key, patience, err)
		}
	}
}

func (c *caller) heard(key int, res idem.Result[string], err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codes[idem.CodeOf(err)]++
	if err != nil {
		return // also where the answer is told as one that is not stored
	}
	for i, t := range c.told[key] {
		if t.Answer == res.Value {
			c.told[key][i].Own = t.Own || !res.Replayed
			return
		}
	}
	c.told[key] = append(c.told[key], telling{Answer: res.Value, Own: !res.Replayed})
}
