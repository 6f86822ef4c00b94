package failover

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// crowd are processes that call at once.
type crowd struct {
	t         *testing.T
	processes []*exec.Cmd
	stderr    []bytes.Buffer
	listening sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}
	ended   []int // calls of each
	last    []report
}

// startCrowd has processes make so many calls together with keys that they share.
func startCrowd(t *testing.T, processes int, o order) *crowd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &crowd{
		t: t, changed: make(chan struct{}, 1), stderr: make([]bytes.Buffer, processes),
		ended: make([]int, processes), last: make([]report, processes),
	}
	o.Calls /= processes
	line, err := json.Marshal(o)
	require.NoError(t, err)
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childEnv+"=1")
		cmd.Stdin, cmd.Stderr = bytes.NewReader(line), &c.stderr[i]
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		c.processes = append(c.processes, cmd)
		c.listening.Go(func() {
			for from := json.NewDecoder(out); ; {
				var r report
				if from.Decode(&r) != nil {
					return
				}
				c.mu.Lock()
				c.ended[i], c.last[i] = r.Ended, r
				c.mu.Unlock()
				select {
				case c.changed <- struct{}{}:
				default:
				}
			}
		})
	}
	t.Cleanup(func() {
		for _, cmd := range c.processes {
			if cmd.ProcessState == nil {
				_ = cmd.Process.Kill()
				c.listening.Wait()
				_ = cmd.Wait()
			}
		}
	})
	return c
}

// reach waits until so many calls have ended.
func (c *crowd) reach(calls int) {
	c.t.Helper()
	late := time.NewTimer(5 * time.Minute)
	defer late.Stop()
	for {
		c.mu.Lock()
		sum := 0
		for _, n := range c.ended {
			sum += n
		}
		c.mu.Unlock()
		if sum >= calls {
			return
		}
		select {
		case <-c.changed:
		case <-late.C:
			require.FailNow(c.t, "the callers do not get on", "%d of %d calls", sum, calls)
		}
	}
}

// heard is what all processes were told together.
type heard struct {
	answers map[int][]string // by key, every answer that somebody was told
	own     map[int][]string // those of them that their own call was told
	codes   map[idem.Code]int
	calls   int
	runs    int
}

// wait waits until all calls have ended.
func (c *crowd) wait() heard {
	c.t.Helper()
	c.listening.Wait()
	h := heard{answers: map[int][]string{}, own: map[int][]string{}, codes: map[idem.Code]int{}}
	for i, cmd := range c.processes {
		require.NoError(c.t, cmd.Wait(), "%s", &c.stderr[i])
		r := c.last[i]
		h.calls, h.runs = h.calls+r.Ended, h.runs+r.Runs
		for code, n := range r.Codes {
			h.codes[code] += n
		}
		for key, told := range r.Told {
			for _, t := range told {
				h.add(key, t)
			}
		}
	}
	return h
}

func (h heard) add(key int, t telling) {
	if !slices.Contains(h.answers[key], t.Answer) {
		h.answers[key] = append(h.answers[key], t.Answer)
	}
	if t.Own && !slices.Contains(h.own[key], t.Answer) {
		h.own[key] = append(h.own[key], t.Answer)
	}
}

// again asks for every key of h once more and returns what is told now, and the keys whose answer is lost: their call has
// run again.
func (h heard) again(t *testing.T, url string) (now map[int]string, lost []int) {
	t.Helper()
	store, err := backend.Open(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	guard, err := idem.New("failover", store.Store, idem.Lease(lease))
	require.NoError(t, err)
	now = map[int]string{}
	for key := range h.answers {
		res, err := idem.DoResult(t.Context(), guard, keyOf(key), owner, key, func(context.Context, int) (string, error) { return rand.Text(), nil })
		require.NoError(t, err)
		if now[key] = res.Value; !res.Replayed {
			lost = append(lost, key)
		}
	}
	return now, lost
}

// recordOf is the key in Redis that the record of a key has.
func recordOf(key int) string {
	id := backend.NewID("failover", string(owner), string(keyOf(key)))
	return "idem:" + hex.EncodeToString(id[:])
}
