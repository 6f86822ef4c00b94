package sqlserver

import "syscall"

// attributes has the kernel end a server whose test was killed and cannot do that any more.
func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL}
}
