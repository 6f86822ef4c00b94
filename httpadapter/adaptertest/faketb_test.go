package adaptertest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/idem-go/idem/httpadapter/adaptertest"
)

// fakeTB is a test that is allowed to fail.
type fakeTB struct {
	ctx      context.Context
	failure  string
	logs     []string
	cleanups []func()
}

var _ adaptertest.TB = (*fakeTB)(nil)

func (*fakeTB) Helper() {}

func (f *fakeTB) Context() context.Context { return f.ctx }

func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }

func (f *fakeTB) Logf(format string, args ...any) {
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *fakeTB) skipped() bool {
	return slices.ContainsFunc(f.logs, func(line string) bool { return strings.HasPrefix(line, "skipped") })
}

// outcome runs a check on a goroutine that it may end, and returns the test that it left behind.
func outcome(t *testing.T, check func(adaptertest.TB)) *fakeTB {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tb, ended := &fakeTB{ctx: ctx}, make(chan struct{})
	go func() {
		defer close(ended)
		check(tb)
	}()
	<-ended
	cancel()
	for _, c := range slices.Backward(tb.cleanups) {
		c()
	}
	return tb
}
