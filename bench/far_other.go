//go:build !linux

package main

import "time"

// alarm wakes at a time.
type alarm struct{}

func newAlarm() (*alarm, error)      { return &alarm{}, nil }
func (*alarm) sleep(d time.Duration) { time.Sleep(d) }
func (*alarm) close() error          { return nil }
