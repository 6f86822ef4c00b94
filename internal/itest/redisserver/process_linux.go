package redisserver

import "syscall"

// attributes has the kernel end a server whose test was killed and cannot do that any more.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
