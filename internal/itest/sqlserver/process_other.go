//go:build !linux

package sqlserver

import "syscall"

// attributes are the account's: only Linux ends a process with its parent.
func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as}
}
