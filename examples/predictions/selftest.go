package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/idem-go/idem"
)

// duplicates is how many times the self-test sends its request.
const duplicates = 20

// selftest sends one request many times at once to a server of its own, and fails unless its handler ran once. The
// business tables are in a temporary file; the records are there too, or in the backend that is named, where the one
// that it made is removed again.
func selftest(ctx context.Context, c config, stdout io.Writer, to *log.Logger) (err error) {
	dir, err := os.MkdirTemp("", "predictions-selftest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.db = filepath.Join(dir, "selftest.db")
	s, err := newServer(ctx, c, to)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, s.store.close())
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving, l) }()
	t := trial{base: baseURL(l.Addr()), user: "selftest-" + rand.Text(), key: rand.Text()}
	sent := t.sendAll(ctx)
	forgotten := s.guard.Forget(context.WithoutCancel(ctx), idem.Key(t.key), idem.User(t.user))
	stop()
	return errors.Join(sent.report(stdout, s.runs.Load()), forgotten, <-ended)
}

// trial is one request.
type trial struct{ base, user, key string }

// sendAll sends the request from as many goroutines as there are duplicates, over a connection each.
func (t trial) sendAll(ctx context.Context) *tally {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: duplicates}}
	defer client.CloseIdleConnections()
	var (
		sum   tally
		group sync.WaitGroup
		start = make(chan struct{})
	)
	for range duplicates {
		group.Go(func() {
			<-start
			sum.add(t.send(ctx, client))
		})
	}
	close(start)
	group.Wait()
	return &sum
}

func (t trial) send(ctx context.Context, client *http.Client) (*http.Response, error) {
	body := strings.NewReader(`{"market_id":"selftest","outcome":"yes","stake":1}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.base+"/predictions", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.user)
	req.Header.Set("Idempotency-Key", `"`+t.key+`"`)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, errors.Join(err, resp.Body.Close())
}

// tally counts answers.
type tally struct {
	mu                        sync.Mutex
	first, replayed, inFlight int
	other                     []string
}

func (t *tally) add(resp *http.Response, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.other = append(t.other, err.Error())
	case resp.StatusCode == http.StatusCreated && resp.Header.Get("Idempotent-Replayed") == "true":
		t.replayed++
	case resp.StatusCode == http.StatusCreated:
		t.first++
	case resp.StatusCode == http.StatusConflict:
		t.inFlight++
	default:
		t.other = append(t.other, resp.Status)
	}
}

// report prints what became of the requests, and returns what should not have.
func (t *tally) report(to io.Writer, executed int64) error {
	_, err := fmt.Fprintf(to, "executed %d, replayed %d, in flight %d\n", executed, t.replayed, t.inFlight)
	switch {
	case err != nil:
		return err
	case executed != 1:
		return fmt.Errorf("self-test: the handler ran %d times for one request", executed)
	case len(t.other) > 0:
		return fmt.Errorf("self-test: %d answers are neither 201 nor 409, such as: %s", len(t.other), t.other[0])
	case t.first != 1:
		return fmt.Errorf("self-test: %d clients got a first answer", t.first)
	}
	return nil
}
