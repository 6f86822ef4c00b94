package sqlserver

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// process is one run of a server's program.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer // to be read when it is gone
	gone   chan struct{}
}

func startProcess(as *syscall.Credential, dir string, env []string, command ...string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), gone: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = attributes(as)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in the output
		close(p.gone)
	}()
	return p, nil
}

func (p *process) over() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// end ends the process and reaps it.
func (p *process) end(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // after Wait it is no process's id any more, and then not sent
	<-p.gone
}

// crash ends the process and its children, all at once: PostgreSQL's are one for each connection, and would finish what
// they are at. It is stopped first, so that it makes no more of them.
func (p *process) crash() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	for _, child := range childrenOf(p.cmd.Process.Pid) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	p.end(syscall.SIGKILL)
}

// childrenOf asks the kernel, where it tells.
func childrenOf(pid int) (all []int) {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(content)) {
		if child, err := strconv.Atoi(field); err == nil {
			all = append(all, child)
		}
	}
	return all
}

// runAs runs a program to its end.
func runAs(as *syscall.Credential, dir string, command ...string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.SysProcAttr = dir, attributes(as)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
