package itest

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

// patience is how long a test waits for a child to say something before it fails.
const patience = 30 * time.Second

// process is a child as its parent sees it. It is for one goroutine.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stderr  bytes.Buffer
	reports chan report // closed when the child is gone and has been heard to the end
	heard   []report    // all so far
	still   bool        // it sends no renewals
	reap    func() error
}

// start starts a child and waits until it is up. It is dead and reaped when the test ends.
func start(t *testing.T) *process {
	t.Helper()
	p := launch(t)
	p.hear(func(r report) bool { return r.Up })
	return p
}

// launch starts a child, which can be given orders before it is up.
func launch(t *testing.T) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(self), reports: make(chan report, 64)}
	p.cmd.Env = append(os.Environ(), childEnv+"=1", "GORACE=atexit_sleep_ms=0") // the race detector would rest for a second
	p.cmd.Stderr = &p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.reap = sync.OnceValue(p.cmd.Wait)
	go p.listen(json.NewDecoder(stdout))
	t.Cleanup(p.discard)
	return p
}

// start starts a child that has opened the storage.
func (st storage) start(t *testing.T) *process {
	t.Helper()
	return st.crowd(t, 1)[0]
}

// crowd starts children side by side that have opened the storage.
func (st storage) crowd(t *testing.T, n int) []*process {
	t.Helper()
	all := make([]*process, n)
	for i := range all {
		all[i] = launch(t)
		all[i].open(st)
	}
	for _, p := range all {
		p.hear(func(r report) bool { return r.Opened })
	}
	return all
}

func (p *process) listen(out *json.Decoder) {
	defer close(p.reports)
	for {
		var r report
		if out.Decode(&r) != nil {
			return // the end, or a line that a kill cut short
		}
		p.reports <- r
	}
}

// open orders the child to open the storage.
func (p *process) open(st storage) {
	p.t.Helper()
	p.send(order{Open: st.url, System: st.sys.name, Lease: st.lease})
}

// send gives all orders at once.
func (p *process) send(orders ...order) {
	p.t.Helper()
	var lines bytes.Buffer
	for _, o := range orders {
		require.NoError(p.t, json.NewEncoder(&lines).Encode(o))
	}
	_, err := p.stdin.Write(lines.Bytes())
	require.NoError(p.t, err, "the child has gone")
}

// hear returns the next report that want is true for.
func (p *process) hear(want func(report) bool) report {
	p.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case r, ok := <-p.reports:
			if !ok {
				_ = p.reap()
				require.FailNow(p.t, "the child has gone", "%v: %s", p.cmd.ProcessState, &p.stderr)
			}
			p.heard = append(p.heard, r)
			if want(r) {
				return r
			}
		case <-late.C:
			require.FailNow(p.t, "the child says nothing", "so far: %+v", p.heard)
		}
	}
}

// arrival waits until a call has stopped at its point.
func (p *process) arrival(number int) report {
	p.t.Helper()
	return p.hear(func(r report) bool {
		require.False(p.t, r.Call == number && r.Over, "call %d came by no point: %+v", number, r)
		return r.Call == number && r.At != ""
	})
}

// outcome waits until a call is over.
func (p *process) outcome(number int) report {
	p.t.Helper()
	return p.hear(func(r report) bool { return r.Call == number && r.Over })
}

// outcomes waits until n calls more are over.
func (p *process) outcomes(n int) []report {
	p.t.Helper()
	over := make([]report, 0, n)
	for range n {
		over = append(over, p.hear(func(r report) bool { return r.Over }))
	}
	return over
}

// kill ends the child at once, hears what it had said before, and reaps it.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.bury()
}

// bury hears what a child that was killed had said before, and reaps it.
func (p *process) bury() {
	p.t.Helper()
	p.drain()
	_ = p.reap() // the status is the signal
	require.False(p.t, p.cmd.ProcessState.Exited(), "the child exited by itself: %v: %s", p.cmd.ProcessState, &p.stderr)
}

// holdStill has the child send no renewals before it is stopped and goes on. In the middle of a write it would hold
// SQLite's one lock for as long as it is stopped, and everybody up.
func (p *process) holdStill() {
	p.t.Helper()
	p.send(order{Renewals: true})
	p.hear(func(r report) bool { return r.Still })
	p.still = true
}

// pause stops the whole child where it is; resume lets it go on.
func (p *process) pause() { p.t.Helper(); p.signal(syscall.SIGSTOP) }

func (p *process) resume() {
	p.t.Helper()
	p.signal(syscall.SIGCONT)
	if p.still {
		p.send(order{Renewals: true})
		p.still = false
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// end has the child close its storage and exit, which must succeed.
func (p *process) end() {
	p.t.Helper()
	require.NoError(p.t, p.stdin.Close())
	p.drain()
	require.NoError(p.t, p.reap(), "%s", &p.stderr)
}

// drain hears the child to its end.
func (p *process) drain() {
	p.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case r, ok := <-p.reports:
			if !ok {
				return
			}
			p.heard = append(p.heard, r)
		case <-late.C:
			require.FailNow(p.t, "the child does not end")
		}
	}
}

// told returns the answers that the child's calls were told, by key.
func (p *process) told(of map[int]idem.Key) map[idem.Key][]string {
	told := map[idem.Key][]string{}
	for _, r := range p.heard {
		if r.Over && r.Code == idem.CodeNone {
			told[of[r.Call]] = append(told[of[r.Call]], r.Told)
		}
	}
	return told
}

// discard ends a child that is still there. SIGKILL ends a stopped one too.
func (p *process) discard() {
	_ = p.cmd.Process.Kill() // after reap it is no process's id any more, and then not sent
	_ = p.stdin.Close()
	for range p.reports {
	}
	_ = p.reap()
}
