// Package redisserver starts Redis servers for one test: a server alone, a Cluster, or a group under Sentinels, from the
// installed redis-server and on free loopback ports. A test may kill, stop and restart them, which it must not do to a
// server that others use. They end with their test. Where redis-server is not installed the test is skipped.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a test waits for servers before it fails.
const patience = 30 * time.Second

// Server is a redis-server of one test's own. Its methods are for the test's goroutine, but Addr and Client may be
// called by any.
type Server struct {
	t    testing.TB
	dir  string
	port int
	env  []string // beside the test's own
	args []string // after the file of settings

	process *process // nil while it is down
	stopped bool     // by Pause
}

// Start starts a server that keeps nothing on disk unless the settings say so, each of which is a line of redis.conf:
// "appendonly yes". It returns once the server answers.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return start(t, nil, settings)
}

// StartIn is Start with more in the server's environment.
func StartIn(t testing.TB, env []string, settings ...string) *Server {
	t.Helper()
	return start(t, env, settings)
}

func start(t testing.TB, env, settings []string, args ...string) *Server {
	t.Helper()
	binary(t)
	s := &Server{t: t, dir: t.TempDir(), env: env, args: args}
	t.Cleanup(s.discard)
	// Another may take a free port before the server does.
	var err error
	for range 10 {
		if s.port, err = freePort(); err == nil {
			s.configure(settings)
			err = s.run()
		}
		if err == nil {
			return s
		}
	}
	t.Fatalf("start redis-server: %v", err)
	return nil
}

// binary is the program, if there is one.
func binary(t testing.TB) string {
	t.Helper()
	found, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed (./test --install installs it)")
	}
	return found
}

// busOffset is what a Cluster node's second port is above its first.
const busOffset = 10_000

// given are the ports that this process has had: where a killed server's clients or Sentinels still look for it, they must
// not find another one.
var given sync.Map

// freePort returns a port that nobody listens on, nor on the one that a Cluster would want beside it.
func freePort() (int, error) {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		_, digits, _ := net.SplitHostPort(first.Addr().String())
		port, _ := strconv.Atoi(digits)
		// What the system gives away lies high. Below it, a port and its second are nobody's local port by chance.
		port = 10_000 + port%10_000
		_, had := given.LoadOrStore(port, true)
		free := !had && isFree(port) && isFree(port+busOffset)
		if err := first.Close(); err != nil {
			return 0, err
		}
		if free {
			return port, nil
		}
	}
	return 0, errors.New("no port is free")
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && l.Close() == nil
}

// configure writes the file of settings. What comes later in it counts.
func (s *Server) configure(settings []string) {
	s.t.Helper()
	lines := append([]string{
		"bind 127.0.0.1",
		fmt.Sprint("port ", s.port),
		"dir " + s.dir,
		"daemonize no",
		`save ""`,
		"appendonly no",
	}, settings...)
	if err := os.WriteFile(s.file(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) file() string { return filepath.Join(s.dir, "redis.conf") }

// run starts the process and waits until it answers.
func (s *Server) run() error {
	p, err := startProcess(binary(s.t), s.env, append([]string{s.file()}, s.args...)...)
	if err != nil {
		return err
	}
	s.process = p
	if err := s.await(p); err != nil {
		s.discard()
		return err
	}
	return nil
}

// await waits until the server answers, or is gone.
func (s *Server) await(p *process) error {
	c := s.Client()
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := c.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("redis-server on port %d ended: %s", s.port, &p.output)
		case <-ctx.Done():
			return fmt.Errorf("redis-server on port %d does not answer: %w", s.port, err)
		case <-again.C:
		}
	}
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is redis://HOST:PORT.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client returns a new client with one connection that sends nothing twice. The caller closes it.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, PoolSize: 1, ContextTimeoutEnabled: true})
}

// Do sends one command on a connection of its own and returns the answer. The test fails if there is none, or an error.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	answer, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return answer
}

func (s *Server) try(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := s.Client()
	defer func() { _ = c.Close() }()
	return c.Do(ctx, args...).Result()
}

// Up reports whether the process is there, be it stopped or not.
func (s *Server) Up() bool { return s.process != nil }

// answers reports whether a command would get an answer.
func (s *Server) answers() bool { return s.Up() && !s.stopped }

// Kill ends the process at once, as a crash does, and returns when it is gone.
func (s *Server) Kill() {
	s.t.Helper()
	s.mustBe(true)
	s.discard()
}

// Restart starts a killed server again, on its port and with what it kept on disk, and returns once it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.mustBe(false)
	if err := s.run(); err != nil {
		s.t.Fatal(err)
	}
}

// AwaitCopies waits until so many replicas have all that this master has written so far. WAIT would not do: it knows of what
// its own connection has written.
func (s *Server) AwaitCopies(replicas int) {
	s.t.Helper()
	written := number(info(s, "info", "replication")["master_repl_offset"])
	eventually(s.t, "the replicas have everything", func() bool {
		have := 0
		for name, value := range info(s, "info", "replication") {
			_, offset, _ := strings.Cut(value, "offset=")
			if strings.HasPrefix(name, "slave") && number(offset) >= written {
				have++
			}
		}
		return have >= replicas
	})
}

// number is the number that a text begins with, 0 where that is none.
func number(text string) (n int64) {
	_, _ = fmt.Sscan(text, &n)
	return n
}

// KeepAll has the server throw away no append-only file, also where it becomes another's replica and copies all that it has.
// Before Redis 7.0 there is but one, which that replaces.
func (s *Server) KeepAll() {
	s.t.Helper()
	_, _ = s.try("config", "set", "aof-disable-auto-gc", "yes")
}

// Written is what the server has kept of all that it was told to write, also before it was killed: its append-only files
// with "appendonly yes", of which "rdbcompression no" and "auto-aof-rewrite-percentage 0" keep the words readable.
func (s *Server) Written() []byte {
	s.t.Helper()
	var all []byte
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".aof") {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, content...)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// Pause stops the process where it is: its connections stay and nothing answers.
func (s *Server) Pause() { s.t.Helper(); s.signal(syscall.SIGSTOP); s.stopped = true }

// Resume lets a stopped process go on.
func (s *Server) Resume() { s.t.Helper(); s.signal(syscall.SIGCONT); s.stopped = false }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mustBe(true)
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) mustBe(up bool) {
	s.t.Helper()
	if s.Up() != up {
		s.t.Fatalf("the server is up: %t", s.Up())
	}
}

func (s *Server) discard() {
	if s.process != nil {
		s.process.kill()
		s.process, s.stopped = nil, false
	}
}
