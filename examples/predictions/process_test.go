package main

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is the program, running.
type process struct {
	api
	cmd    *exec.Cmd
	exited <-chan struct{} // closed when cmd.ProcessState is set
}

const processLease = 2 * time.Second

// start starts the program and waits until it listens.
func start(t *testing.T, program, file string) *process {
	t.Helper()
	cmd := exec.Command(program, "-addr", "127.0.0.1:0", "-db", file, "-faults", "-lease", processLease.String())
	cmd.Env = append(cmd.Environ(), "IDEM_BACKEND=")
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	p := &process{cmd: cmd, exited: exited}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	go func() {
		defer close(exited)
		_, _ = io.Copy(io.Discard, lines) // Wait closes the pipe, so it comes after its end
		_ = cmd.Wait()                    // ProcessState says how it ended
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error if it has ended, which most tests see to
		<-exited
	})
	base, found := strings.CutPrefix(strings.TrimSpace(first), "listening on ")
	require.True(t, found, "%q, %v", first, err)
	p.api = newAPI(base)
	return p
}

// state waits for the end of the process and says what ended it.
func (p *process) state(t *testing.T) syscall.WaitStatus {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "the process does not end")
	}
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// killedBy sends c and expects that it ends the process.
func (p *process) killedBy(t *testing.T, c call) {
	t.Helper()
	_, err := p.try(t.Context(), c)
	require.Error(t, err)
	require.Equal(t, syscall.SIGKILL, p.state(t).Signal())
}

// settled sends c until it is answered by something else than 409, and says how long after since that was.
func (p *process) settled(t *testing.T, c call, since time.Time) (r reply, after time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		r = p.do(t, c)
		return r.status != http.StatusConflict
	}, 20*time.Second, 20*time.Millisecond)
	return r, time.Since(since)
}

// end asks the process to end and expects that it does so in order.
func (p *process) end(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, p.state(t).ExitStatus())
}

func TestTheProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "predictions")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	for name, test := range map[string]func(t *testing.T, program, file string){
		"a payout whose process dies before the effect is paid once": func(t *testing.T, program, file string) {
			paidOnceAfter(t, program, file, "X-Demo-Crash: before-effect")
		},
		"a payout whose process dies before COMMIT is paid once": func(t *testing.T, program, file string) {
			paidOnceAfter(t, program, file, "X-Demo-Crash: after-effect")
		},
		"a prediction whose process dies before the effect is made once": func(t *testing.T, program, file string) {
			predictedAfter(t, program, file, "X-Demo-Crash: before-effect", 1)
		},
		"a prediction whose process dies after the effect is answered within the lease": func(t *testing.T, program, file string) {
			predictedAfter(t, program, file, "X-Demo-Crash: after-effect", 2) // that is Rerun, and why there is /payouts
		},
		"SIGTERM finishes what is in flight":           finishes,
		"SIGTERM finishes what nobody waits for":       finishesAlone,
		"the records outlive a restart":                outlives,
		"two processes on one file answer for another": answersForAnother,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program, filepath.Join(t.TempDir(), "test.db"))
		})
	}
}

func paidOnceAfter(t *testing.T, program, file, fault string) {
	start(t, program, file).killedBy(t, pay("k", fault))
	killed := time.Now()
	p := start(t, program, file)
	require.Equal(t, "[]\n", p.do(t, get("/payouts")).body)
	r, after := p.settled(t, pay("k"), killed)
	require.Equal(t, http.StatusCreated, r.status)
	require.False(t, r.replayed(), "what did not commit has no answer")
	require.Less(t, after, processLease+time.Second)
	require.True(t, p.do(t, pay("k")).replayed())
	require.Equal(t, []Payout{decode[Payout](t, r)}, decode[[]Payout](t, p.do(t, get("/payouts"))))
	p.end(t)
}

func predictedAfter(t *testing.T, program, file, fault string, rows int) {
	start(t, program, file).killedBy(t, predict("k", fault))
	killed := time.Now()
	p := start(t, program, file)
	r, after := p.settled(t, predict("k"), killed)
	require.Equal(t, http.StatusCreated, r.status)
	require.Less(t, after, processLease+time.Second)
	require.True(t, p.do(t, predict("k")).replayed())
	require.Len(t, decode[[]Prediction](t, p.do(t, get("/predictions"))), rows)
	require.Equal(t, 1, p.executions(t), "since this process began")
	p.end(t)
}

func finishes(t *testing.T, program, file string) {
	p := start(t, program, file)
	prediction := p.later(t.Context(), predict("k", "X-Demo-Delay: 1s"))
	p.ran(t, 1)
	payout := p.later(t.Context(), pay("k", "X-Demo-Delay: 1s"))
	p.ran(t, 2)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool {
		_, err := p.try(t.Context(), get("/healthz"))
		return err != nil
	}, 10*time.Second, 5*time.Millisecond, "it takes requests all the same")
	require.Equal(t, http.StatusCreated, (<-prediction).status)
	require.Equal(t, http.StatusCreated, (<-payout).status)
	require.Zero(t, p.state(t).ExitStatus())
}

func finishesAlone(t *testing.T, program, file string) {
	p := start(t, program, file)
	p.hangUp(t, predict("k", "X-Demo-Delay: 1s"), 1)
	p.hangUp(t, pay("k", "X-Demo-Delay: 1s"), 2)
	p.end(t)
	p = start(t, program, file)
	for _, c := range []call{predict("k"), pay("k")} {
		r := p.do(t, c)
		require.Equal(t, http.StatusCreated, r.status)
		require.True(t, r.replayed(), c.path)
	}
	require.Zero(t, p.executions(t))
	p.end(t)
}

func outlives(t *testing.T, program, file string) {
	p := start(t, program, file)
	first := p.do(t, predict("k"))
	p.end(t)
	again := start(t, program, file).do(t, predict("k"))
	require.True(t, again.replayed())
	require.Equal(t, first.body, again.body)
}

func answersForAnother(t *testing.T, program, file string) {
	one, two := start(t, program, file), start(t, program, file)
	slow := one.later(t.Context(), predict("k", "X-Demo-Delay: 500ms"))
	one.ran(t, 1)
	require.Equal(t, http.StatusConflict, two.do(t, predict("k")).status)
	require.Equal(t, http.StatusCreated, (<-slow).status)
	require.True(t, two.do(t, predict("k")).replayed())
	require.Zero(t, two.executions(t))
}
