// Package sqlserver starts a PostgreSQL or a MariaDB for one test, from what is installed and on a free loopback port,
// with settings under which an acknowledged commit is on disk. A test may kill and restart it, and give it an environment
// of its own, which it must not do to a server that others use. It ends with its test. Where the programs are not
// installed the test is skipped.
package sqlserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for a server before it fails.
const patience = 60 * time.Second

// kind is what there is to know about one make of server.
type kind interface {
	// account is who the server runs as where the test is root, which a database server refuses to be.
	account() string
	// create makes what a server keeps, once.
	create(s *Server) error
	// command is the program and its arguments.
	command(s *Server) []string
	// ask returns nil once the server answers.
	ask(s *Server) error
	// url is where clients find it.
	url(s *Server) string
	// quit is the signal that ends it in order.
	quit() syscall.Signal
}

// Server is a server of one test's own. Its methods are for the test's goroutine, but URL may be called by any.
type Server struct {
	t       testing.TB
	kind    kind
	dir     string
	port    int
	env     []string
	owner   *syscall.Credential // nil: who runs the test
	process *process            // nil while it is down
}

// Postgres starts a PostgreSQL whose commits are on disk before they are acknowledged. env is added to its environment.
func Postgres(t testing.TB, env ...string) *Server {
	t.Helper()
	bin, ok := postgresBin()
	if !ok {
		t.Skip("PostgreSQL is not installed (./test --install installs it)")
	}
	return start(t, postgres{bin}, env)
}

// MariaDB starts a MariaDB whose commits are on disk before they are acknowledged. env is added to its environment.
func MariaDB(t testing.TB, env ...string) *Server {
	t.Helper()
	m, ok := findMariaDB()
	if !ok {
		t.Skip("MariaDB is not installed (./test --install installs it)")
	}
	return start(t, m, env)
}

func start(t testing.TB, k kind, env []string) *Server {
	t.Helper()
	s := &Server{t: t, kind: k, env: env}
	t.Cleanup(s.discard)
	err := s.settle()
	if err == nil {
		err = k.create(s)
	}
	// Another may take a free port before the server does.
	for range 3 {
		if err != nil {
			break
		}
		if s.port, err = freePort(); err == nil {
			if err = s.run(); err == nil {
				return s
			}
		}
	}
	t.Fatalf("start a server: %v", err)
	return nil
}

// settle makes a folder that the server's account can reach: a test's own is closed to others.
func (s *Server) settle() (err error) {
	if s.dir, err = os.MkdirTemp("", "idem-server-*"); err != nil || os.Geteuid() != 0 {
		return err
	}
	for _, name := range []string{s.kind.account(), "nobody"} {
		if s.owner, err = credential(name); err == nil {
			return os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid))
		}
	}
	return err
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// freePort returns a port that nobody listens on, below those that the system gives to connections.
func freePort() (int, error) {
	for range 100 {
		drawn, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := 20_000 + drawn.Addr().(*net.TCPAddr).Port%10_000
		_ = drawn.Close() // it was only to draw a number
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no port is free")
}

// run starts the process and waits until it answers. What a killed server left behind may be in its way for a moment.
func (s *Server) run() error {
	late := time.Now().Add(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		p, err := startProcess(s.owner, s.dir, s.env, s.kind.command(s)...)
		if err != nil {
			return err
		}
		for err = s.kind.ask(s); err != nil && !p.over() && time.Now().Before(late); err = s.kind.ask(s) {
			<-again.C
		}
		if err == nil {
			s.process = p
			return nil
		}
		p.end(syscall.SIGKILL)
		if time.Now().After(late) {
			return fmt.Errorf("%s on port %d: %w: %s", filepath.Base(s.kind.command(s)[0]), s.port, err, &p.output)
		}
	}
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is what backend.Open takes.
func (s *Server) URL() string { return s.kind.url(s) }

// Kill ends the server at once and all its processes, as a crash of the machine does, and returns when they are gone.
func (s *Server) Kill() {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatal("the server is down")
	}
	s.process.crash()
	s.process = nil
}

// Restart starts a killed server again, on its port and with what it kept on disk, and returns once it answers.
func (s *Server) Restart() {
	s.t.Helper()
	if s.process != nil {
		s.t.Fatal("the server is up")
	}
	if err := s.run(); err != nil {
		s.t.Fatal(err)
	}
}

// discard ends the server in order, so that it leaves no shared memory, and removes what it kept.
func (s *Server) discard() {
	if s.process != nil {
		s.process.end(s.kind.quit())
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
