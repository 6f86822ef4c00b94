package sqlserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// postgres is PostgreSQL, whose programs are in a folder.
type postgres struct{ bin string }

// postgresBin is the folder of the newest PostgreSQL. Debian keeps it out of PATH.
func postgresBin() (string, bool) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(folders, func(a, b string) int { return major(b) - major(a) })
	if found, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(found))
	}
	for _, dir := range folders {
		if has(dir, "initdb") && has(dir, "postgres") {
			return dir, true
		}
	}
	return "", false
}

// major is the version that a folder of Debian's is named after.
func major(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func (postgres) account() string { return "postgres" }

func (postgres) quit() syscall.Signal { return syscall.SIGINT }

func (p postgres) create(s *Server) error {
	return runAs(s.owner, s.dir, filepath.Join(p.bin, "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
}

func (p postgres) command(s *Server) []string {
	return []string{
		filepath.Join(p.bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-p", fmt.Sprint(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=60", "-c", "shared_buffers=16MB",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on", "-c", "log_timezone=UTC",
	}
}

func (p postgres) ask(s *Server) error {
	return runAs(nil, s.dir, filepath.Join(p.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", fmt.Sprint(s.port))
}

func (postgres) url(s *Server) string {
	return fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", s.Addr())
}
