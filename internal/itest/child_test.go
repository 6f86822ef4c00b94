package itest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/idem-go/idem"
)

// childEnv in the environment makes the test binary a child.
const childEnv = "IDEM_ITEST_CHILD"

// order is a line that a child reads. One of Open, Call, GoOn and Renewals says what to do.
type order struct {
	Open   string `json:",omitempty"` // the URL of the storage to open, in place of the one that is open
	System string `json:",omitempty"` // with Open: the name of the backend
	Lease  time.Duration

	Call      int `json:",omitempty"` // make a call, which has this number
	Guarantee idem.Guarantee
	Key       idem.Key
	Wait      time.Duration
	Obedient  bool
	Stop      point `json:",omitempty"` // where the call stops until GoOn

	GoOn int `json:",omitempty"` // the number of the call that may go on

	Renewals bool `json:",omitempty"` // may be sent again, or not: the other of the two than before
}

// report is a line that a child writes.
type report struct {
	Up     bool `json:",omitempty"` // the child is there
	Opened bool `json:",omitempty"` // the storage is open

	Still bool `json:",omitempty"` // no renewal is under way, and none will be

	Call int       `json:",omitempty"` // the call that this is about
	At   point     `json:",omitempty"` // it has stopped
	Over bool      `json:",omitempty"` // it has returned: Told, or Code and Error
	Own  []string  `json:",omitempty"` // the runs of fn that it made
	Told string    `json:",omitempty"` // the run whose answer it was told
	Code idem.Code `json:",omitempty"`
	Err  string    `json:",omitempty"`

	Replayed bool `json:",omitempty"`
}

// child is a process that works for its parent.
type child struct {
	worker *worker
	still  bool // it sends no renewals

	mu    sync.Mutex
	out   *json.Encoder
	stops map[int]*stopper
	calls sync.WaitGroup
}

// runChild obeys the orders on in until there are no more, and returns the exit status.
func runChild(in io.Reader, out io.Writer) int {
	c := &child{out: json.NewEncoder(out), stops: map[int]*stopper{}}
	if err := c.obey(json.NewDecoder(in)); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func (c *child) obey(in *json.Decoder) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.say(report{Up: true})
	for {
		var o order
		err := in.Decode(&o)
		switch {
		case errors.Is(err, io.EOF):
			cancel()
			return c.end()
		case err != nil:
			return err
		case o.Open != "":
			err = c.open(ctx, o)
		case o.GoOn != 0:
			err = c.goOn(o.GoOn)
		case o.Renewals:
			c.toggleRenewals()
		default:
			c.begin(ctx, o)
		}
		if err != nil {
			return err
		}
	}
}

func (c *child) open(ctx context.Context, o order) error {
	sys, ok := systemNamed(o.System)
	if !ok {
		return fmt.Errorf("there is no backend %q", o.System)
	}
	if c.worker != nil {
		if err := c.worker.close(); err != nil {
			return err
		}
	}
	s, err := sys.open(ctx, o.Open)
	if err != nil {
		return err
	}
	if c.worker, err = newWorker(s, s.staged, o.Lease); err != nil {
		return err
	}
	c.say(report{Opened: true})
	return nil
}

// begin makes a call on a goroutine of its own.
func (c *child) begin(ctx context.Context, o order) {
	var mu sync.Mutex
	var own []string
	made := call{guarantee: o.Guarantee, key: o.Key, wait: o.Wait, obedient: o.Obedient, began: func(run string) {
		mu.Lock()
		defer mu.Unlock()
		own = append(own, run)
	}}
	runs := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return own
	}
	if o.Stop != "" {
		s := &stopper{at: o.Stop, obedient: o.Obedient, goOn: make(chan struct{})}
		s.reached = func() { c.say(report{Call: o.Call, At: o.Stop, Own: runs()}) }
		c.mu.Lock()
		c.stops[o.Call] = s
		c.mu.Unlock()
		ctx = s.with(ctx)
	}
	c.calls.Go(func() {
		res, err := c.worker.do(ctx, made)
		r := report{Call: o.Call, Over: true, Own: runs(), Told: res.Value.Run, Replayed: res.Replayed, Code: idem.CodeOf(err)}
		if err != nil {
			r.Err = err.Error()
		}
		c.say(r)
	})
}

func (c *child) goOn(number int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.stops[number]
	if !ok {
		return fmt.Errorf("call %d does not stop anywhere", number)
	}
	delete(c.stops, number)
	close(s.goOn)
	return nil
}

func (c *child) toggleRenewals() {
	if c.still = !c.still; !c.still {
		renewing.Unlock()
		return
	}
	renewing.Lock()
	c.say(report{Still: true})
}

// end lets go what is stopped, waits for it and closes the storage.
func (c *child) end() error {
	c.mu.Lock()
	for _, s := range c.stops {
		close(s.goOn)
	}
	c.mu.Unlock()
	c.calls.Wait()
	if c.worker == nil {
		return nil
	}
	return c.worker.close()
}

func (c *child) say(r report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.out.Encode(r) // a parent that does not listen any more is gone, and so is this process soon
}
