package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes at a time, as exactly as the system can: the runtime's own timers are late by up to a millisecond where nothing
// else runs, and a sleep of the system's keeps others from the processor that it began on.
type alarm struct {
	timer *os.File
	fd    int
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &alarm{timer: os.NewFile(uintptr(fd), "timer"), fd: fd}, nil
}

func (a *alarm) sleep(d time.Duration) {
	var expired [8]byte
	if unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil) != nil {
		time.Sleep(d)
		return
	}
	_, _ = a.timer.Read(expired[:]) // closed: nobody waits any more
}

func (a *alarm) close() error { return a.timer.Close() }
