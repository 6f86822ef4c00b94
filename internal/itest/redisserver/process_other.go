//go:build !linux

package redisserver

import "syscall"

// attributes are none: only Linux ends a process with its parent.
func attributes() *syscall.SysProcAttr { return nil }
