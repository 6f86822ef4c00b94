package redisserver

import (
	"bytes"
	"os"
	"os/exec"
)

// process is one run of the program.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer // to be read when it is gone
	gone   chan struct{}
}

func startProcess(program string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in the output
		close(p.gone)
	}()
	return p, nil
}

// kill ends the process, a stopped one too, and reaps it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // after Wait it is no process's id any more, and then not sent
	<-p.gone
}
