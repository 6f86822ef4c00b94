package sqlserver

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
)

// mariadb is MariaDB, by the names of its programs.
type mariadb struct{ daemon, install, admin string }

func findMariaDB() (m mariadb, ok bool) {
	for name, program := range map[string]*string{"mariadbd": &m.daemon, "mariadb-install-db": &m.install, "mariadb-admin": &m.admin} {
		found, err := exec.LookPath(name)
		if err != nil {
			return m, false
		}
		*program = found
	}
	return m, true
}

func (mariadb) account() string { return "mysql" }

func (mariadb) quit() syscall.Signal { return syscall.SIGTERM }

func (m mariadb) create(s *Server) error {
	return runAs(s.owner, s.dir, m.install, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db")
}

func (m mariadb) command(s *Server) []string {
	return []string{
		m.daemon, "--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--socket=" + m.socket(s),
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--bind-address=127.0.0.1", fmt.Sprint("--port=", s.port), "--max-connections=100",
		"--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=ON", "--innodb-buffer-pool-size=32M",
	}
}

func (mariadb) socket(s *Server) string { return filepath.Join(s.dir, "socket") }

func (m mariadb) ask(s *Server) error {
	return runAs(nil, s.dir, m.admin, "--no-defaults", "--socket="+m.socket(s), "--user=root", "--silent", "ping")
}

func (mariadb) url(s *Server) string { return fmt.Sprintf("mysql://root@%s/mysql", s.Addr()) }
